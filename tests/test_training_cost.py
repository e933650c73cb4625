"""What a training step consists of, what that takes, and the table that says so."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import tiny
from robench.benchmarking import laps, trainings
from robench.benchmarking.busy import busy, seconds
from robench.benchmarking.cost import UNITS
from robench.benchmarking.pace import pace
from robench.benchmarking.peak import peak
from robench.benchmarking.trainings import Asked, Line
from robench.benchmarking.watch import watched
from robench.errors import UserError
from robench.planning import Request
from robench.plugins import DEFENSES

CPU = torch.device("cpu")
EXPECTED: list[tuple[str, dict[str, Any], dict[str, int], float]] = [
    ("baseline", {}, {"forward": 1, "weights": 1}, 1.0),
    ("fgm", {}, {"forward": 2, "inputs": 1, "weights": 1}, 5 / 3),
    ("fgm", {"through_attack": True}, {"forward": 2, "inputs": 1, "weights": 2, "through": 1}, 3.0),
    ("pgd", {}, {"forward": 11, "inputs": 10, "weights": 1}, 23 / 3),
    (
        "pgd",
        {"through_attack": True},
        {"forward": 11, "inputs": 10, "weights": 11, "through": 10},
        21.0,
    ),
    ("awp", {}, {"forward": 12, "inputs": 10, "weights": 2}, 26 / 3),
    ("fast-at", {}, {"forward": 2, "inputs": 1, "weights": 1}, 5 / 3),
    ("free-at", {}, {"forward": 8, "weights": 8}, 8.0),
    ("gaussian", {}, {"forward": 1, "weights": 1}, 1.0),
    ("mart", {}, {"forward": 12, "inputs": 10, "weights": 2}, 26 / 3),
    ("trades", {}, {"forward": 12, "inputs": 10, "weights": 2}, 26 / 3),
    ("pgn", {}, {"forward": 2, "inputs": 2, "weights": 2, "through": 1}, 10 / 3),
    ("pgn", {"preset": "paper"}, {"forward": 4, "inputs": 3, "weights": 1}, 3.0),
]
"""Passes through the classifier, and what they are of a baseline's: 3, 21 and the like."""


class Layer(nn.Module):
    """One layer after another, watched as one network."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x)))


def asked(**request: Any) -> Asked:
    """Return a request small enough to time in a test."""
    settings = {"model.width": 0.05}
    return Asked(Request("", settings, batch_size=8, device="cpu", **request), steps=2, rounds=1)


@pytest.mark.parametrize(("defense", "settings", "passes", "ratio"), EXPECTED)
def test_passes_of_every_defense_are_those_of_its_definition(
    defense: str, settings: dict[str, Any], passes: dict[str, int], ratio: float, tmp_path: Path
) -> None:
    small = {**tiny.SETTINGS.get(defense, {}), **settings}
    noise = trainings.noise(16, CPU)
    found, networks, calls = laps.counted(
        trainings.planned(Line(defense, small), asked(), noise, tmp_path)
    )
    assert {way: n for (name, way), n in found.items() if name == "classifier"} == passes
    units = sum(count * UNITS[way] for way, count in passes.items())
    assert units / 3 == pytest.approx(ratio)
    assert networks.keys() == calls.keys() == {name for name, _ in found}


def test_generator_s_passes_are_counted_by_its_name(tmp_path: Path) -> None:
    line = Line("pgn", dict(tiny.SETTINGS["pgn"]))
    noise = trainings.noise(16, CPU)
    found, _, calls = laps.counted(trainings.planned(line, asked(), noise, tmp_path))
    own = {way: count for (name, way), count in found.items() if name == "generator"}
    assert own == {"forward": 1, "inputs": 1, "weights": 1}
    gradient, x, y = calls["generator"]
    assert (gradient.requires_grad, x.requires_grad) == (True, False)
    assert (gradient.shape, x.shape, y.shape) == ((8, 3, 32, 32), (8, 3, 32, 32), (8,))


def test_watching_changes_nothing_and_ends() -> None:
    torch.manual_seed(0)
    network, x, y = Layer(), torch.rand(5, 4), torch.arange(5) % 3

    def slopes() -> list[Tensor]:
        leaf = x.clone().requires_grad_()
        (one,) = torch.autograd.grad(network(leaf).square().sum(), leaf, create_graph=True)
        loss = F.cross_entropy(network(x + one), y)
        return list(torch.autograd.grad(loss, list(network.parameters())))

    plain = slopes()
    with watched({"layer": network}) as seen:
        for own, other in zip(slopes(), plain, strict=True):
            assert torch.equal(own, other)
    before = dict(seen.events)
    slopes()
    assert dict(seen.events) == before
    assert "weight" not in network.first.__dict__
    assert seen.passes(1) == {
        ("layer", "forward"): 2,
        ("layer", "inputs"): 1,
        ("layer", "weights"): 2,
        ("layer", "through"): 1,
    }


def test_passes_one_after_another_add_up(tmp_path: Path) -> None:
    x = torch.rand(64, 4).requires_grad_()
    times = pace({"layer": Layer()}, {"layer": (x,)}, "float32")
    assert {way for _, way in times} == {"forward", "inputs", "weights", "through"}
    passes: Mapping[Any, float] = {("layer", "forward"): 2.0, ("layer", "weights"): 1.0}
    whole = 2 * times["layer", "forward"] + times["layer", "weights"]
    assert math.isclose(laps.floor(passes, times), whole)
    unasked = pace({"layer": Layer()}, {"layer": (x.detach(),)}, "float32")
    assert {way for _, way in unasked} == {"forward", "weights"}


def test_peak_sees_what_is_freed_again() -> None:
    size = 64 * 2**20
    _, most = peak(lambda: float(torch.ones(size // 4).sum()), CPU)
    assert most is None or most > 0.9 * size


@dataclass(frozen=True)
class Kernel:
    """What a profiler lists."""

    self_device_time_total: float


def test_device_time_is_that_of_all_kernels_and_a_cpu_has_none() -> None:
    assert seconds([Kernel(1.5e6), Kernel(0.5e6)]) == 2.0
    done: list[int] = []
    assert busy(lambda: done.append(1), CPU) is None
    assert done == []  # nothing to learn: not done


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_busy_part_of_the_time() -> None:
    x = torch.rand(512, 512, device="cuda")
    used = busy(lambda: x @ x, x.device)
    assert used is not None
    assert 0 < used < 1


def test_lines_are_the_asked_ones_beside_the_reference() -> None:
    every = trainings.lines((), {})
    assert every[0].defense == "baseline"
    assert {line.defense for line in every} <= set(DEFENSES.names())
    assert [line.defense for line in trainings.lines(("fgm",), {})] == ["baseline", "fgm", "fgm"]
    assert trainings.lines(("pgd",), {"steps": "2"})[1:] == (Line("pgd", {"steps": "2"}),)
    assert trainings.lines(("pgn_ablation",), {})[1:] == (Line("pgn_ablation"),)
    with pytest.raises(UserError, match="--set needs exactly one --defense"):
        trainings.lines((), {"eps": "1"})


def test_table_and_record_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "cost.json"
    small = ("--width", "0.05", "--steps", "2", "--rounds", "1", "--batch-size", "8")
    where = ("--device", "cpu", "--runs", tmp_path / "runs", "--json", file)
    done = tiny.robench("bench", "train", *small, *where, "--defense", "fgm")
    assert done.code == 0, done.err
    content = json.loads(file.read_text())
    assert [row["defense"] for row in content["rows"]] == ["baseline", "fgm", "fgm"]
    assert content["threads"] == torch.get_num_threads()
    for row, line in zip(content["rows"], done.out.splitlines()[2:], strict=True):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1] == f"{1000 * row['seconds_per_step']:.1f}"
        assert cells[6] == f"{row['ratio_to_floor']:.2f}"
        assert cells[7] == f"{row['ratio_to_baseline']:.2f}"
        assert row["seconds_per_epoch"] == pytest.approx(row["seconds_per_step"] * 6250)
    assert content["rows"][1]["passes"] == {f"classifier {w}": n for w, n in EXPECTED[1][2].items()}
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--defense", "nothing"), "nothing"),
        (("--set", "eps=1"), "--set needs exactly one --defense"),
        (("--defense", "fgm", "--set", "eps=-1"), "is not above 0"),
        (("--steps", "0"), "--steps 0 is not at least 1"),
        (("--rounds", "0"), "--rounds 0 is not at least 1"),
        (("--dataset", "folder", "--data-dir", "/nowhere"), "/nowhere"),
    ],
)
def test_bad_requests_are_refused_in_one_line(
    arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    done = tiny.robench("bench", "train", *arguments, "--runs", tmp_path, "--device", "cpu")
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
