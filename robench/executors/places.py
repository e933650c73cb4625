"""Where the workers of one machine compute: which GPU, how many cores."""

import os
from collections.abc import Mapping

from robench.errors import UserError

VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"


def places(
    device: str,
    workers: int | None,
    gpu_fraction: float,
    environment: Mapping[str, str] = os.environ,
) -> list[dict[str, str]]:
    """Return the environment of each worker on this machine.

    On GPUs, so many share each as `gpu_fraction` lets; without `workers` there are as many as the
    GPUs hold. On the CPU, the cores are shared evenly; without `workers`, there is one a core.
    OMP_NUM_THREADS, where it is set, holds for each. Raises UserError for more workers than the
    GPUs hold.
    """
    own = dict(environment)
    if gpus := _gpus(device, environment):
        each = int(1 / gpu_fraction + 1e-9)
        count = len(gpus) * each if workers is None else workers
        if count > len(gpus) * each:
            raise UserError(
                f"--workers {count} on {len(gpus)} GPUs with {each} on each (--gpu-fraction "
                f"{gpu_fraction:g}); there is room for {len(gpus) * each}"
            )
        return [{**own, VISIBLE: gpus[number % len(gpus)]} for number in range(count)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    count = (cores or 1) if workers is None else workers
    threads = own.get(THREADS) or str(max(1, (cores or 1) // count))
    return [{**own, THREADS: threads} for _ in range(count)]


def _gpus(device: str, environment: Mapping[str, str]) -> list[str]:
    """Return the GPUs to share out, as workers are told of them; none where all use one device."""
    if device not in ("auto", "cuda"):
        return []
    if visible := environment.get(VISIBLE):
        return visible.split(",")
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
