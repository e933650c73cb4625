"""Attacks beside each other: passes counted, floors, the judge, tables, records, bad input."""

import copy
import json
import math
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import peering
import tiny
from robench.attacking import judge
from robench.benchmarking import contests, heat
from robench.benchmarking.contestant import Subject, enter
from robench.benchmarking.contests import Line
from robench.benchmarking.floor import Pass, fastest, floor, measure
from robench.benchmarking.front import front
from robench.benchmarking.passes import Counted, Kind, Tally
from robench.benchmarking.row import Row, floored
from robench.drawing.front import render
from robench.errors import RunFailed, UserError
from robench.panel import Panel
from robench.plugins import PEERS

CLASSES = 5
ROW = {"contest", "library", "attack", "budget", "batch_size", "images", "complete", "seconds"} | {
    *("passes", "success", "accuracy", "mean_l2", "median_l2", "violations"),
    *("floor", "floor_ratio", "ratio", "l2_ratio"),
}


class Small(nn.Module):
    """A linear classifier of 3 x 4 x 4 images."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(48, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.layer(x.flatten(1))


@pytest.fixture
def tally() -> Tally:
    """Return an empty tally."""
    return Tally()


@pytest.fixture
def counted(tally: Tally) -> Counted:
    """Return a counted network."""
    return Counted(Small().eval().requires_grad_(False), tally).eval()


def images(count: int) -> Tensor:
    """Return random images that can be differentiated by."""
    return torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()


def counts(tally: Tally) -> dict[Kind, int]:
    """Return the kinds of passes that happened."""
    return {kind: count for kind, count in tally.samples.items() if count}


def per_class(logits: Tensor, x: Tensor) -> None:
    """Take the gradient of each class in a backward pass of its own."""
    for number in range(CLASSES):
        torch.autograd.grad(logits[:, number].sum(), x, retain_graph=True)


def batched(logits: Tensor, x: Tensor) -> None:
    """Take the gradients of all classes in one backward pass under vmap."""
    chosen = torch.eye(CLASSES)[:, None].expand(-1, len(x), -1)
    torch.autograd.grad(logits, x, chosen, is_grads_batched=True)


@pytest.mark.parametrize("way", [per_class, batched])
def test_every_class_costs_a_backward_pass(
    way: Callable[[Tensor, Tensor], None], counted: Counted, tally: Tally
) -> None:
    x = images(7)
    way(counted(x), x)
    assert counts(tally) == {("forward", "float32"): 7, ("backward", "float32"): 7 * CLASSES}


def test_functional_gradients_are_counted(counted: Counted, tally: Tally) -> None:
    x = images(7).detach()

    def score(image: Tensor) -> Tensor:
        return counted(image[None])[0].square().sum()

    torch.func.vmap(torch.func.grad(score))(x)
    assert counts(tally) == {("forward", "float32"): 7, ("backward", "float32"): 7}


def test_passes_without_gradient_are_forward_alone(counted: Counted, tally: Tally) -> None:
    with torch.no_grad():
        counted(images(3))
        counted(images(2))
    assert counts(tally) == {("forward", "float32"): 5}
    assert tally.per_image(5)["forward", "float32"] == 1.0


def test_passes_in_bf16_are_counted_apart(counted: Counted, tally: Tally) -> None:
    x = images(4)
    with torch.autocast("cpu", torch.bfloat16):
        counted(x).sum().backward()
    low = copy.deepcopy(counted).to(torch.bfloat16)
    low(x.to(torch.bfloat16)).sum().backward()
    assert counts(tally) == {("forward", "bf16"): 8, ("backward", "bf16"): 8}
    counted(x)
    assert tally.samples["forward", "float32"] == 4


def test_counting_changes_no_result(counted: Counted) -> None:
    assert torch.equal(counted(images(9)), counted.network(images(9)))


def test_fastest_passes_are_positive_and_the_fastest(counted: Counted) -> None:
    found = measure(counted.network, images(4).detach(), ["float32"])
    assert {(one.way, one.precision) for one in found} == {
        ("forward", "float32"),
        ("backward", "float32"),
    }
    assert all(one.seconds >= 0 for one in found)
    assert next(one for one in found if one.way == "forward").seconds > 0
    slow = Pass("forward", "float32", 9.0, 8, "contiguous")
    quick = Pass("forward", "float32", 3.0, 8, "contiguous")
    assert fastest([slow], [quick], [slow]) == [quick]


def test_floor_is_the_sum_of_passes() -> None:
    known = [
        Pass("forward", "float32", 2.0, 8, "contiguous"),
        Pass("backward", "float32", 3.0, 8, "contiguous"),
    ]
    forward, backward = ("forward", "float32"), ("backward", "float32")
    assert floor({forward: 10.0, backward: 1.0}, known) == 23.0
    assert floor({forward: 10.0, ("forward", "bf16"): 1.0}, known) is None
    assert floor({forward: 10.0, ("forward", "bf16"): 0.0}, known) == 20.0


@pytest.fixture
def subject() -> Subject:
    """Return the small network, ready to be attacked."""
    return Subject(Small().eval().requires_grad_(False), (3, 4, 4), CLASSES, "float32")


@pytest.fixture
def panel(subject: Subject) -> Panel:
    """Return 20 images that the network classifies correctly."""
    x = images(20).detach().numpy()
    y = subject.network(torch.from_numpy(x)).argmax(dim=1).numpy()
    return Panel(np.arange(20), x, y, "")


def test_a_peer_is_counted_and_judged_as_the_harness_judges(subject: Subject, panel: Panel) -> None:
    peer = Line("peering:Steps", "fgm", {"count": 3, "eps": 0.9}, batch_size=8)
    entered = enter(peer, subject, len(panel))
    done = heat.run(entered, subject, panel, None, None)
    assert done.batch_size == 8
    assert done.passes["forward", "float32"] == done.passes["backward", "float32"] == 3.0
    made = torch.cat(
        [
            entered.run(x, y)
            for x, y in zip(
                torch.from_numpy(panel.x).split(8), torch.from_numpy(panel.y).split(8), strict=True
            )
        ]
    )
    wanted = judge(subject.network, made.numpy(), panel, None).outcomes
    assert np.array_equal(done.verdict.outcomes.distance, wanted.distance)
    assert 0 < wanted.success.sum() <= 20


def test_more_than_the_radius_is_a_failure(subject: Subject, panel: Panel) -> None:
    peer = Line("peering:Steps", "fgm", {"count": 1, "eps": 0.9}, batch_size=8)
    done = heat.run(enter(peer, subject, 20), subject, panel, None, 0.4)
    assert done.verdict.violations == 20
    assert not done.verdict.outcomes.success.any()


def test_time_that_runs_out_leaves_the_first_images(subject: Subject, panel: Panel) -> None:
    peer = Line("peering:Steps", "fgm", {"count": 2, "eps": 0.9}, batch_size=8)
    done = heat.run(enter(peer, subject, 20), subject, panel, 1e-9, None)
    assert done.verdict.outcomes.index.tolist() == list(range(8))
    assert done.passes["forward", "float32"] == 2.0


def test_a_peer_that_fails_says_why_in_one_line(subject: Subject, panel: Panel) -> None:
    entered = enter(Line("peering:Steps", "breaks", {"count": 1, "eps": 1}, "", 8), subject, 20)
    with pytest.raises(RunFailed, match=r"breaks failed \(RuntimeError: no such luck\)"):
        heat.run(entered, subject, panel, None, None)


def benchmark(data: Path, runs: Path, *more: object) -> tiny.Ended:
    """Run the command on a small network that it trains."""
    words = ["--dataset", "folder", "--data-dir", data, "--runs", runs, "--width", 0.1]
    words += ["--epochs", 1, "--images", 36, "--device", "cpu", "--precision", "float32"]
    return tiny.robench("bench", "attacks", *words, *more)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the benchmark keeps its network."""
    return tmp_path_factory.mktemp("bench") / "runs"


def test_table_and_record(tints: Path, runs: Path, tmp_path: Path) -> None:
    lines = [
        peering.line(count=2, eps=0.5),
        peering.line("other", "peering:Absent", count=2, eps=0.5),
    ]
    file = peering.contests(tmp_path / "contests.yaml", *lines)
    record = tmp_path / "out" / "record.json"
    ended = benchmark(tints, runs, "--contests", file, "--json", record)
    assert ended.code == 0, ended.err
    assert "peering:Absent is not installed, its attacks are left out; pip install" in ended.err
    assert "A short one" in ended.out
    content = json.loads(record.read_text())
    assert [row["library"] for row in content["rows"]] == ["robench", "peering:Steps"]
    own, peer = content["rows"]
    assert set(own) == set(peer) == ROW
    assert own["ratio"] == own["l2_ratio"] == 1.0
    assert own["passes"]["backward_float32"] == 1.0
    assert peer["passes"]["forward_float32"] == peer["passes"]["backward_float32"] == 2.0
    assert peer["batch_size"] == min(8, peer["images"])
    assert peer["images"] == content["network"]["attacked"]
    assert peer["floor"] > 0
    pace = (peer["seconds"] / peer["images"]) / (own["seconds"] / own["images"])
    assert peer["ratio"] == pytest.approx(pace)
    assert content["libraries"] == {"peering:Absent": "", "peering:Steps": version("torch")}
    benign = content["network"]["accuracy"]
    assert peer["accuracy"] == pytest.approx(benign * (1 - peer["success"]))
    assert {"environment", "threads", "passes", "front", "failures"} <= set(content)


def test_the_network_is_found_again(tints: Path, runs: Path, tmp_path: Path) -> None:
    file = peering.contests(tmp_path / "contests.yaml")
    assert benchmark(tints, runs, "--contests", file).code == 0
    before = tiny.snapshot(runs)
    (key,) = [path.name for path in runs.iterdir() if (path / "DONE").exists()]
    assert benchmark(tints, runs, "--contests", file).code == 0
    words = ["--runs", runs, "--data-dir", tints, "--checkpoint", key, "--contests", file]
    ended = tiny.robench("bench", "attacks", *words, "--images", 36)
    assert ended.code == 0, ended.err
    assert tiny.snapshot(runs) == before


def test_a_failing_peer_leaves_the_others_and_the_exit_code_1(
    tints: Path, runs: Path, tmp_path: Path
) -> None:
    lines = [peering.line("breaks", count=1, eps=0.5), peering.line(count=1, eps=0.5)]
    file = peering.contests(tmp_path / "contests.yaml", *lines)
    record = tmp_path / "record.json"
    ended = benchmark(tints, runs, "--contests", file, "--json", record)
    assert ended.code == 1
    assert ended.err.endswith("Error: 1 contestants failed; the lines above say why\n")
    content = json.loads(record.read_text())
    assert [row["library"] for row in content["rows"]] == ["robench", "peering:Steps"]
    assert [one["name"] for one in content["failures"]] == ["peering:Steps breaks"]


def test_the_built_in_contests_name_what_there_is() -> None:
    programme = contests.read()
    lines = [line for contest in programme.contests for line in contest.lines]
    assert {line.library for line in (*lines, *programme.front)} <= {"robench", *PEERS.names()}
    assert len({line.title for line in programme.front}) == len(programme.front)
    for contest in programme.contests:
        assert contest.lines[0].library == "robench"


WRONG = {
    "contests: 3": "contests is not a list",
    "contests: [{lines: []}]": "a contest lacks its name",
    "contests: [{name: a, lines: [{library: x, attack: y}]}]": "no line of the library robench",
    "contests: [{name: a, lines: [{attack: y}]}]": "a line lacks its library",
    "contests: [{name: a, lines: [{library: robench, attack: y, batch_size: 0}]}]": "not at",
    "contests: [{name: a, lines: [{library: robench, attack: y, speed: 1}]}]": "no 'speed'",
    "contests: [{name: a, lines: [{library: robench, attack: 7}]}]": "attack: 7 is not text",
    "front: [{library: robench, attack: cw, title: a}]": "lacks its ladder or its title",
    "front: [{library: robench, attack: cw, title: a, ladder: {a: [1], b: [1]}}]": "one keyword",
    "fronts: []": "has no 'fronts'",
    "[": "is not YAML",
}


@pytest.mark.parametrize("text", WRONG)
def test_files_of_contests_that_are_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "contests.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=WRONG[text]) as raised:
        contests.read(path)
    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--contest", "chess"], "no contest called 'chess'; there is: short"),
        (["--library", "abacus"], "no library called 'abacus'; there is: "),
        (["--library", "peering:Absent"], "--library peering:Absent: it is not installed; pip"),
        (["--checkpoint", "run-1"], "no finished run 'run-1' under"),
        (["--checkpoint", "run-1", "--epochs", "3"], "leave out --epochs"),
        (["--time-limit", "0"], "--time-limit 0.0 is not above 0"),
        (["--front", "front.gif"], "--front front.gif: name an .svg or a .png"),
        (["--contests", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["--defense", "bim"], "no defense called 'bim'"),
    ],
)
def test_bad_input_ends_in_one_line(
    words: list[str], part: str, tints: Path, tmp_path: Path
) -> None:
    absent = peering.line("other", "peering:Absent", count=2, eps=0.5)
    file = peering.contests(tmp_path / "contests.yaml", absent)
    given = ["--dataset", "folder", "--data-dir", tints, "--runs", tmp_path / "runs"]
    given += [] if "--contests" in words else ["--contests", file]
    given = given[2:] if "--checkpoint" in words else given
    ended = tiny.robench("bench", "attacks", *given, *words)
    assert ended.code == 2, ended.err
    said = [line for line in ended.err.splitlines() if "is not installed, its" not in line]
    assert len(said) == 1
    assert part in said[0]
    assert not list((tmp_path / "runs").glob("*/manifest.json"))


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (peering.line("bim", "robench"), "no attack called 'bim'"),
        (peering.line("fgm", "robench", epz=1), "fgm has no setting 'epz'"),
        (peering.line("fgm", "robench:Peer"), "no peer at 'robench:Peer'"),
    ],
)
def test_lines_that_cannot_run(
    line: str, part: str, tints: Path, runs: Path, tmp_path: Path
) -> None:
    file = peering.contests(tmp_path / "contests.yaml", line)
    ended = benchmark(tints, runs, "--contests", file)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert part in ended.err


def row(contest: str, seconds: float, mean: float | None, **more: object) -> Row:
    """Return a row of a front."""
    passes = dict.fromkeys(("forward_float32", "forward_bf16", "backward_float32"), 0.0)
    given = {
        "library": contest.split()[0],
        "attack": "x",
        "budget": "",
        "batch_size": 1,
        "images": 10,
        "complete": True,
        "passes": {**passes, "backward_bf16": 0.0},
        "success": 1.0,
        "accuracy": 0.0,
        "median_l2": mean,
        "violations": 0,
        **more,
    }
    return Row(contest=contest, seconds=seconds, mean_l2=mean, **given)  # type: ignore[arg-type]


def test_front_leaves_out_what_says_nothing_of_all_images() -> None:
    rows = [row("a x", 1.0, 0.4), row("a x", 2.0, 0.3, complete=False), row("b x", 3.0, None)]
    rows += [row("a x", 0.5, 0.2, success=0.9)]
    (curve,) = front(rows, "title").curves
    assert [(point.seconds, point.mean_l2) for point in curve.points] == [(1.0, 0.4)]


def test_front_is_drawn_and_the_same_twice() -> None:
    rows = [row("a x", 1.0, 0.4), row("a x", 9.0, 0.3), row("b x", 3.0, 0.35)]
    content = front(rows, "Distance against time")
    drawn = render(content, "svg")
    assert drawn == render(content, "svg")
    assert drawn.startswith(b"<?xml")
    assert render(content, "png").startswith(b"\x89PNG")


def test_a_row_without_timed_passes_has_no_floor() -> None:
    own = row("a x", 2.0, 0.4, passes={**row("a x", 1, 1).passes, "forward_float32": 4.0})
    assert floored(own, []).floor is None
    done = floored(own, [Pass("forward", "float32", 0.01, 8, "contiguous")])
    assert done.floor == pytest.approx(0.4)
    assert done.floor_ratio is not None
    assert math.isclose(done.floor_ratio, 5.0)
