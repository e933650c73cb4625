"""Measure the peak memory of `robench train` on images of CIFAR-10's number and size."""

import argparse
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

SYNTHETIC = Path(__file__).with_name("synthetic.py")


def main() -> None:
    """Train in a process of its own, stop it after a while, print its peak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="as for --dataset folder; else synthetic")
    parser.add_argument("--seconds", type=float, help="stop after this; default: one epoch")
    parser.add_argument("rest", nargs="*", help="-- and options of `robench train`")
    options = parser.parse_args()
    dataset = ["--dataset", str(SYNTHETIC)]
    if options.data_dir:
        dataset = ["--dataset", "folder", "--data-dir", str(options.data_dir)]
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "robench", "train", *dataset, "--epochs", "1"]
        code = run([*command, "--runs", runs, *(options.rest or ["--defense", "pgn"])], options)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"peak resident memory {peak:.2f} GiB, exit code {code}")


def run(command: list[str], options: argparse.Namespace) -> int:
    """Run `command`; interrupt it when its time is over. Return its exit code."""
    process = subprocess.Popen(command)
    try:
        return process.wait(options.seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        return process.wait()


if __name__ == "__main__":
    main()
