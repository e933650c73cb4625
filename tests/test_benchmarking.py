"""Attacks beside each other: passes counted, floors, the judge, tables, records, bad input."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

import peering
import tiny
from peering import CLASSES, Small, images
from robench.attacking import judge
from robench.benchmarking import contests, heat
from robench.benchmarking.contestant import Subject, enter
from robench.benchmarking.contests import Line
from robench.errors import RunFailed, UserError
from robench.panel import Panel
from robench.plugins import PEERS

ROW = {"contest", "library", "attack", "budget", "batch_size", "images", "complete", "seconds"} | {
    *("passes", "success", "accuracy", "mean_l2", "median_l2", "violations"),
    *("floor", "floor_ratio", "ratio", "l2_ratio"),
}


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
