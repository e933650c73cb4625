"""Time `robench --help`, and tell whether it imports torch."""

import argparse
import subprocess
import sys
import time
from statistics import median

HEAVY = ("torch", "art", "pandas", "seaborn", "numpy")
PROBE = f"""
import sys
sys.argv = ["robench", "--help"]
from robench.cli import main
try:
    main()
except SystemExit:
    print(",".join(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""


def seconds() -> float:
    """Return the wall time of one `robench --help`, in a fresh interpreter."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "robench", "--help"], check=True, capture_output=True)
    return time.perf_counter() - started


def imported() -> str:
    """Return which heavy packages `robench --help` imports, separated by commas."""
    probe = subprocess.run([sys.executable, "-c", PROBE], check=True, capture_output=True)
    return probe.stderr.decode().strip()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    seconds()  # the first one reads from the disk
    found = [seconds() for _ in range(options.rounds)]
    print(f"robench --help: median {median(found):.3f} s, {min(found):.3f} to {max(found):.3f}")
    print(f"heavy packages imported: {imported() or 'none'}")


if __name__ == "__main__":
    main()
