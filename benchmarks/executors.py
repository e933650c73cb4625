"""Measure how much sooner a sweep ends with two worker processes than with none.

python benchmarks/executors.py --rounds 3

Twelve cells on digits are trained by whole `robench sweep` commands, in turns: `local` with one
thread, then `processes` with two workers of one thread each. Needs a machine of two cores with
nothing else on it: it is the clock that is compared. Starting is in it, which two workers and the
command do each, so that cells of seconds gain nothing. Both train the same bytes, which is checked.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from robench.runs import read_runs

SEEDS, STRENGTHS = 6, ("0.1", "0.2")
"""Twelve cells in all."""
WAYS: Mapping[str, Sequence[str]] = {
    "local": (),
    "processes": ("--executor", "processes", "--workers", "2"),
}
SOUND = 0.9
"""Seconds of a processor for each on the clock, below which something else had the core."""


@dataclass(frozen=True)
class Took:
    """What one command took, its start and the loading of images included."""

    way: str
    wall: float
    """Seconds on the clock."""
    cpu: float
    """Seconds of processors, those of workers included."""
    trained: float
    """Seconds of the clock in epochs, summed over cells, as their histories say."""


def swept(way: str, folder: Path, training: Sequence[str]) -> tuple[Took, dict[str, str]]:
    """Train the cells under `folder`; return what it took, and the hash of each network.

    RuntimeError where the command fails.
    """
    grid = ["--set", f"seed={','.join(map(str, range(SEEDS)))}"]
    grid += ["--set", f"eps={','.join(STRENGTHS)}", "--defense", "fgm", "--dataset", "digits"]
    command = [sys.executable, "-m", "robench", "sweep", *grid, *training, "--runs", str(folder)]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--device", "cpu", *WAYS[way]],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise RuntimeError(f"{way} ended with status {status}")
    found = read_runs(folder)
    trained = sum(epoch.seconds for run in found for epoch in run.history)
    hashes = {run.key: run.final.sha256 for run in found}
    return Took(way, wall, used.ru_utime + used.ru_stime, trained), hashes


def main() -> None:
    """Sweep in turns; print each command, then the ratio of every round."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    training = ["--epochs", str(asked.epochs), "--width", str(asked.width)]
    rounds: list[dict[str, Took]] = []
    known: dict[str, str] = {}
    for number in range(asked.rounds):
        rounds.append({})
        for way in sorted(WAYS, reverse=number % 2 == 1):
            with tempfile.TemporaryDirectory() as made:
                took, hashes = swept(way, Path(made), training)
            if (known := known or hashes) != hashes:
                raise RuntimeError(f"{way} trained other networks than the command before it")
            rounds[-1][way] = took
            print(took, flush=True)
    ratios = [one["local"].wall / one["processes"].wall for one in rounds]
    print(f"{len(known)} cells, the same bytes; processes over local: {median(ratios):.2f}", ratios)
    if any(one["local"].cpu < SOUND * one["local"].wall for one in rounds):
        print("the machine was busy with something else: this ratio says little")
    if asked.json:
        each = [[asdict(took) for took in one.values()] for one in rounds]
        result = {"epochs": asked.epochs, "width": asked.width, "ratios": ratios, "rounds": each}
        asked.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
