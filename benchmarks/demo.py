"""Time `robench demo`, from the start of the process to the written leaderboard."""

import resource
import subprocess
import sys
import tempfile
import time


def main() -> None:
    """Run the demo in a folder that is removed afterwards; print seconds and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "robench", "demo", "--out", folder], check=True)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"robench demo: {seconds:.1f} s, peak resident memory {peak:.2f} GiB")


if __name__ == "__main__":
    main()
