"""Measure what reports cost: reading, ranking, writing and checking pages of thousands of records.

The records are synthetic (`synthetic_records.py`), each step a process of its own, so that its peak
of memory is its own. Seconds are of a processor and not of the clock.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import synthetic_records

READ = "from robench import archive; found = archive.read(root)"
RANK = f"{READ}; from robench.ranking import ranked; all = ranked(found)"
PAGES = "from robench import leaderboard; leaderboard.pages(root)"
STEPS = {"start": "import robench.leaderboard", "read": READ, "rank": RANK, "pages": PAGES}
COMMANDS = {
    "report": ("report",),
    "report again": ("report",),
    "check": ("report", "--check"),
}
"""The first has figures to draw, the second has them."""


@dataclass(frozen=True)
class Cost:
    """What one process took, the steps before it included."""

    step: str
    user: float
    """Seconds of a processor."""
    system: float
    """The same, of the operating system for it: most of it files."""
    wall: float
    memory: float
    """Peak resident memory, MiB."""


def measured(step: str, command: Sequence[str], folder: Path) -> Cost:
    """Run a command to its end and return what it took; RuntimeError where it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise RuntimeError(f"{step} ended with status {status}")
    return Cost(step, used.ru_utime, used.ru_stime, wall, used.ru_maxrss / 1024)


def main() -> None:
    """Make records, measure every step, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--variants", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--out", type=Path, help="keep the records here, or use those there")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        out: Path = (asked.out or Path(made)).resolve()
        if not (out / "records").is_dir():
            synthetic_records.make(out / "records", asked.variants, asked.seeds, asked.images)
        records = len(list((out / "records" / "evaluations").glob("*.json")))
        costs = []
        for step, code in STEPS.items():
            told = f"from pathlib import Path; root = Path({str(out / 'records')!r}); {code}"
            costs.append(measured(step, [sys.executable, "-c", told], out))
            print(costs[-1], flush=True)
        for step, words in COMMANDS.items():
            command = [sys.executable, "-m", "robench", *words, "--out", str(out)]
            costs.append(measured(step, [*command, "--runs", str(out / "none")], out))
            print(costs[-1], flush=True)
        page = (out / "README.md").stat().st_size / 2**20
    result = {"evaluations": records, "page_mib": page, "costs": [asdict(one) for one in costs]}
    print(f"{records} evaluations, a page of {page:.2f} MiB")
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
