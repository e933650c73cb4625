"""What attacks cost as classes and images grow in number: DeepFool's time, and peak memory.

python benchmarks/attack_scaling.py
"""

import multiprocessing
import resource
import time

import click
import numpy as np
import torch

from robench.allocator import keep_freed_memory
from robench.estimator import wrap
from robench.models.convpool import ConvPool
from robench.settings import configure
from robench_attacks.deepfool import DeepFool
from robench_attacks.mim import MIM

SHAPE = (3, 32, 32)


def images(count: int) -> np.ndarray:
    """Return images of noise."""
    return np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32)


def seconds(classes: int, count: int, width: float) -> float:
    """Return the least time of three DeepFool runs, one step each, on a network of random weights.

    One step, so that both networks get the same number of passes, whatever their boundaries.
    """
    torch.manual_seed(0)
    network = ConvPool(width).build(SHAPE, classes).eval()
    attack = configure(DeepFool, {"steps": 1, "candidates": 10}, "deepfool")
    built, x = attack.build(wrap(network, SHAPE, classes)), images(count)
    built.generate(x[:2])
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        built.generate(x)
        taken.append(time.perf_counter() - started)
    return min(taken)


def peak(count: int, width: float) -> float:
    """Return the peak resident MiB of attacking so many images, beside the arrays themselves."""
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(0)
    network = ConvPool(width).build(SHAPE, 10).eval()
    built, x = MIM(steps=2).build(wrap(network, SHAPE, 10)), images(count)
    built.generate(x)
    arrays = 2 * x.nbytes / 2**20  # given and returned
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - arrays


@click.command()
@click.option("--width", type=float, default=0.25, show_default=True)
@click.option("--images", "count", type=int, default=256, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
def main(width: float, count: int, threads: int) -> None:
    """Print the ratios."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    few, many = seconds(10, count, width), seconds(100, count, width)
    click.echo(f"DeepFool, 10 candidates: 100 classes take {many / few:.2f} of the time of 10")
    spawn = multiprocessing.get_context("spawn")  # a process remembers its own peak
    with spawn.Pool(1, maxtasksperchild=1) as pool:
        peaks = [pool.apply(peak, (number, width)) for number in (1000, 10000)]
    click.echo(f"peak beside the images: {peaks[0]:.0f} MiB for 1,000, {peaks[1]:.0f} for 10,000")


if __name__ == "__main__":
    main()
