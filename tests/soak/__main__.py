"""`python -m soak [--seed N] [--faults 200] [--after N] [--only KIND] [--json FILE]`."""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import get_args

from soak.driver import Outcome, Verdict, undisturbed, verdicts
from soak.faults import SHARES, drawn
from soak.processes import Processes

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


def main() -> int:
    """Run the faults, print a line each and the table; return 1 where one was lost or wrong."""
    asked = _asked()
    faults = drawn(asked.seed, asked.faults)
    print(f"seed {asked.seed}, {asked.faults} faults", flush=True)
    place, started, found = Path(tempfile.mkdtemp(prefix="robench-soak-")), time.monotonic(), []
    with Processes(place) as processes:
        stages = undisturbed(processes, place / "undisturbed")
        wanted = [one for one in faults[asked.after :] if asked.only in (None, one.kind)]
        for verdict in verdicts(processes, stages, wanted, place):
            fault = verdict.fault
            line = f"{fault.number:4} {fault.kind}, command {fault.command}, at {fault.moment:.3f}"
            print(f"{line}: {verdict.outcome} {verdict.detail}", flush=True)
            found.append(verdict)
    seconds = time.monotonic() - started
    print(table(found), f"\n{seconds:.0f} s; what failed is under {place}")
    if asked.json:
        asked.json.write_text(json.dumps(summary(asked.seed, found, seconds), indent=1) + "\n")
    return int(any(one.outcome not in ("same", "named") for one in found))


def table(found: list[Verdict]) -> str:
    """Return the counts of outcomes for each kind of fault, as Markdown."""
    counts = Counter((one.fault.kind, one.outcome) for one in found)
    lines = [f"| fault | {' | '.join(OUTCOMES)} |", "| --- |" + " --- |" * len(OUTCOMES)]
    for kind in SHARES:
        lines.append(f"| {kind} | {' | '.join(str(counts[kind, one]) for one in OUTCOMES)} |")
    sums = Counter(one.outcome for one in found)
    return "\n".join([*lines, f"| all | {' | '.join(str(sums[one]) for one in OUTCOMES)} |"])


def summary(seed: int, found: list[Verdict], seconds: float) -> dict[str, object]:
    """Return the counts as what `--json` writes."""
    counts = Counter((one.fault.kind, one.outcome) for one in found)
    kinds = {kind: {one: counts[kind, one] for one in OUTCOMES} for kind in SHARES}
    return {"seed": seed, "faults": len(found), "seconds": round(seconds), "outcomes": kinds}


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--after", type=int, default=0, help="leave out so many, the first ones")
    parser.add_argument("--only", choices=SHARES, help="one kind of fault")
    parser.add_argument("--json", type=Path, help="a file for the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
