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
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"robench demo: {seconds:.1f} s, processor {used.ru_utime + used.ru_stime:.1f} s")
    print(f"peak resident memory {used.ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
