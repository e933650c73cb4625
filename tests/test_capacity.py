"""What a large grid costs beside its trainings: counted are looks and tries, not seconds."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from robench.cli import sweep as command
from robench.planning import Plan, Request
from robench.plans import planned
from robench.plugins import Registry
from robench.sweeping import Ended, together

COUNTED = """
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from robench.architecture import Architecture

with Path({log!r}).open("a") as log:
    log.write("loaded ")


@dataclass(frozen=True)
class Counted(Architecture):
    width: float = 1.0

    def build(self, shape, classes):
        with Path({log!r}).open("a") as log:
            log.write(f"built:{{self.width}} ")
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))
"""
FILES = ("open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.utime")
_watched: list[Counter[str]] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watched and event in FILES and "runs" in str(arguments[0]):
        _watched[-1][event] += 1


@contextmanager
def operations() -> Iterator[Counter[str]]:
    """Count what Python asks of the files under a folder called `runs`."""
    if not _HOOKED:
        sys.addaudithook(_watch)  # for good; outside of this context it counts nothing
        _HOOKED.append(True)
    _watched.append(Counter())
    try:
        yield _watched[-1]
    finally:
        _watched.pop()


_HOOKED: list[bool] = []


def grid(model: str, data: Path, runs: Path, cells: int) -> list[Request]:
    """Return requests that differ in seed and, half of them, in the width of the network."""
    asked = Request("baseline", {"model.width": 0.1}, data_dir=data, model=model, runs=runs)
    asked = replace(asked, dataset="folder", epochs=1, batch_size=36, device="cpu")
    wide = replace(asked, settings={"model.width": 0.2})
    return [replace(one, seed=seed) for seed in range(cells) for one in (asked, wide)]


def test_a_grid_looks_plugins_up_and_tries_networks_once(
    tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, file, looked = tmp_path / "log", tmp_path / "counted.py", Counter[str]()
    file.write_text(COUNTED.format(log=str(log)))
    plain = Registry.get

    def counting(self: Registry[object], name: str) -> object:
        looked[self.kind] += 1
        return plain(self, name)

    monkeypatch.setattr(Registry, "get", counting)
    assert len(planned(grid(str(file), tints, tmp_path / "runs", 50))) == 100
    assert sorted(log.read_text().split()) == ["built:0.1", "built:0.2", "loaded"]
    assert looked == {"defense": 1, "model": 1, "dataset": 1}


def swept(plans: list[Plan]) -> tuple[Counter[str], list[Ended]]:
    """Go through cells that are all there; return what was asked of files, and the ends."""
    with operations() as counted:
        ends = [one for one in together(plans, pytest.fail) if isinstance(one, Ended)]
    assert {one.state for one in ends} == {"there already"}
    return counted, ends


def test_a_cell_looks_at_its_own_folder_alone(tints: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    plans = planned(grid("convpool", tints, runs, 2))
    for one in plans:
        tiny.epochs(one)
    alone = [swept([one])[0] for one in plans]
    assert alone[0]["open"] > 0
    assert alone == [alone[0]] * 4
    for number in range(200):
        (runs / f"folder-baseline-{number:010}").mkdir()
    together_, ends = swept(plans)
    assert together_ == {event: 4 * count for event, count in alone[0].items()}
    assert [command.kept(one).trained for one in ends] == [
        (one.run.final.accuracy, one.run.seconds_per_epoch) for one in ends if one.run
    ]
