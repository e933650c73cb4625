"""The sentence that names what seconds per epoch were measured on."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from recordings import ENVIRONMENT, EPS, Recorder, drawn, match
from robench import archive, leaderboard
from robench.cost import cost, hardware
from robench.standings import Row, sections


def rows(root: Path, devices: Sequence[str]) -> tuple[Row, ...]:
    """Record one network a device, and a second seed of the first defense on the last device."""
    runs = []
    for place, device in enumerate([*devices, devices[-1]]):
        recorder = Recorder(root, environment={**ENVIRONMENT, "device": device})
        name = ("fgm", "pgd", "pgn")[place % len(devices)]
        run = recorder.run(name, {"eps": 0.1}, EPS, seed=place // len(devices))
        recorder.evaluation(run, "cw", drawn(place, 0.2, 20))
        runs.append(run)
    recorder.matches([match(run) for run in runs])
    (section,) = sections(archive.read(root))
    return section.standings[0].rows


def test_one_device_is_named_once(tmp_path: Path) -> None:
    assert cost(rows(tmp_path, ["A <1>", "A <1>"])) == (
        "s/epoch: seconds of training an epoch, median over epochs and seeds, "
        "on A &lt;1&gt;, 2 threads."
    )
    page = leaderboard.render(tmp_path)["README.md"].decode()
    assert "median over epochs and seeds, on A &lt;1&gt;, 2 threads.\n\n| rank |" in page


def test_rows_of_different_hardware_are_told_apart(tmp_path: Path) -> None:
    said = cost(rows(tmp_path, ["GPU", "CPU"]))
    assert "**not on the same hardware**, so that they do not compare: " in said
    assert said.endswith("compare: fgm on GPU, 2 threads; fgm, pgd on CPU, 2 threads.")


def test_without_rows_there_is_nothing_to_say() -> None:
    assert cost(()) == ""


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"device": "GPU", "threads": ""}, "GPU"),
        ({"device": "CPU", "threads": "1"}, "CPU, 1 thread"),
        ({"threads": "2"}, "hardware that was not recorded"),
    ],
)
def test_hardware_in_words(environment: dict[str, str], said: str) -> None:
    assert hardware(environment) == said
