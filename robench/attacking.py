"""Run an attack through ART, and judge what it returns without trusting it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from robench.allocator import keep_freed_memory
from robench.attack import Aim, Attack
from robench.errors import UserError
from robench.estimator import wrap
from robench.outcomes import LONGER, Outcomes, settled
from robench.panel import Panel
from robench.records import Precision
from robench.visible import visible

CHUNK = 1000
"""Images given to an attack at once; the progress bar moves by as many. It batches them itself."""
BATCH = 250
"""Images predicted at once."""
BOX = 1e-6
"""How far a pixel may lie outside [0, 1]."""


@dataclass(frozen=True)
class Verdict:
    """What an attack achieved, and how many of its images broke the rules."""

    outcomes: Outcomes
    violations: int


def adversaries(
    network: nn.Module,
    classes: int,
    attack: Attack,
    panel: Panel,
    title: str,
    *,
    aim: Aim | None = None,
    precision: Precision = "float32",
    bar: bool,
) -> tuple[NDArray[np.float32], float]:
    """Return adversarial images (n, channels, height, width) and the seconds they took.

    `aim`: what aims the attack at the wrapped `network`; None: its `build`. `precision`: what the
    attack may search in. A minimal attack is run on correctly classified images alone; the others
    are adversarial as they are, at distance 0, whichever the attack.
    """
    keep_freed_memory()
    shape = panel.x.shape[1:]
    result, clean = panel.x.copy(), predict(network, panel.x)
    todo = np.flatnonzero(clean == panel.y) if attack.minimal else np.arange(len(panel))
    started = time.perf_counter()
    with exact(), reproducible():
        estimator = wrap(network, (shape[0], shape[1], shape[2]), classes, precision)
        built = aim(estimator) if aim else attack.build(estimator)
        with tqdm(
            total=len(todo), desc=visible(title), disable=not bar, unit="image", leave=False
        ) as shown:
            for part in np.array_split(todo, max(1, -(-len(todo) // CHUNK))):
                if len(part):
                    made = np.asarray(built.generate(panel.x[part], panel.y[part]))
                    _check_shape(made, panel.x[part], attack)
                    result[part] = made
                shown.update(len(part))
    return result, time.perf_counter() - started


def _check_shape(made: NDArray[np.float32], asked: NDArray[np.float32], attack: Attack) -> None:
    if made.shape != asked.shape:
        raise UserError(
            f"the attack {type(attack).__name__} returned images of shape {made.shape} for "
            f"{asked.shape}; its `generate` must keep the shape"
        )


def judge(
    network: nn.Module, adversarial: NDArray[np.float32], panel: Panel, radius: float | None
) -> Verdict:
    """Predict every adversarial image anew and measure it; what breaks the rules has failed."""
    flat = (adversarial.astype(np.float64) - panel.x).reshape(len(panel), -1)
    norm = np.sqrt(np.square(flat).sum(axis=1))
    pixels = adversarial.reshape(len(panel), -1)
    valid = ((pixels >= -BOX) & (pixels <= 1 + BOX)).all(axis=1)  # false for NaN
    if radius is not None:
        valid &= norm <= radius * (1 + LONGER)
    with np.errstate(over="ignore"):  # what left the box may be longer than float32 can say
        length = norm.astype(np.float32)
    predicted = predict(network, adversarial)
    fooled, clean = valid & (predicted != panel.y), predict(network, panel.x)
    reach = np.where(fooled, length, np.float32(np.inf))
    outcomes = Outcomes(
        index=panel.index.astype(np.int32),
        label=panel.y.astype(np.int16),
        clean=clean.astype(np.int16),
        adversarial=predicted.astype(np.int16),
        norm=length,
        **settled(panel.y, clean, fooled, reach),
    )
    return Verdict(outcomes, int((~valid).sum()))


@torch.no_grad()
def predict(network: nn.Module, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class of each image, in float32."""
    device = next(network.parameters()).device
    with exact():
        parts = [
            network(torch.from_numpy(x[start : start + BATCH]).to(device)).argmax(dim=1).cpu()
            for start in range(0, len(x), BATCH)
        ]
    return torch.cat(parts).numpy()


@contextmanager
def exact() -> Iterator[None]:
    """Compute in full float32: TF32 would move the boundary that attacks search for."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


@contextmanager
def reproducible() -> Iterator[None]:
    """Seed the generators that attacks draw from, ART's numpy one too; restore them after."""
    state = np.random.get_state()  # ART draws from numpy's global generator
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(0)
        np.random.seed(0)
        try:
            yield
        finally:
            np.random.set_state(state)
