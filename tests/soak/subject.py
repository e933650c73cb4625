"""What is disturbed: two defenses trained on digits, attacked, and reported; a few seconds."""

from pathlib import Path

RUNS, BOARD = "runs", "board"
"""Folders under the one that the commands are run in."""
_TRAINING = (
    "--dataset digits --width 0.1 --epochs 2 --batch-size 128 --ema 0.9 --lr 0.01 --rung 0.05 "
    "--device cpu --precision float32"
)
_ATTACKS = (
    "--attack fgm --attack ddn --attack pgn --set ddn.steps=5 --set pgn.epochs=1 "
    "--set pgn.generator_width=0.05"
)
SCRIPT: tuple[tuple[str, ...], ...] = tuple(
    tuple(line.split())
    for line in (
        f"train --defense baseline {_TRAINING} --runs {RUNS}",
        f"train --defense pgn --set generator_width=0.05 {_TRAINING} --runs {RUNS}",
        f"eval --matched-accuracy 0.60 --tolerance 0.2 {_ATTACKS} --images 20 --device cpu "
        f"--no-audit --precision float32 --runs {RUNS}",
        f"report --runs {RUNS} --out {BOARD}",
    )
)
"""The words after `robench`, a command each. The paths are relative, so that records are alike."""
TRAININGS = 2
"""How many of the commands train a run."""


def verifications(folder: Path) -> list[tuple[str, ...]]:
    """Return the commands that recompute what the records of every trained run say."""
    keys = sorted(done.parent.name for done in (folder / RUNS).glob("*/DONE"))
    return [("verify", key, "--runs", RUNS, "--device", "cpu") for key in keys]
