"""Training does not wait for the device within an epoch: nothing is read back at a step."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import tiny
from robench import training
from robench.augment import augmented
from robench.learner import Learner
from robench.plugins import DEFENSES

WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal.")
"""Operations that a GPU must have come to before the program can go on."""


class Reads(TorchDispatchMode):
    """Counts the operations that wait."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        """Look at one operation."""
        name = str(func)
        if any(word in name for word in WAITING):
            self.seen[name] += 1
        return func(*args, **(kwargs or {}))


def reads(defense: str, data: Path, runs: Path, **request: Any) -> Counter[str]:
    """Return how often a training of one epoch waits."""
    planned = tiny.planned(defense, data, runs, rung=0.0, **request)
    with Reads() as found:
        tiny.epochs(planned)
    return found.seen


def test_reading_a_tensor_is_seen() -> None:
    with Reads() as found:
        assert float(torch.ones(2).sum()) == 2
        assert bool(torch.ones(1) > 0)
    assert found.seen.total() >= 2


@pytest.mark.parametrize("defense", DEFENSES.names())
def test_more_steps_wait_no_more_often(
    defense: str, tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "REFRESH", math.inf)  # once a second it looks, by design
    few = reads(defense, tints, tmp_path / "few", batch_size=33)
    many = reads(defense, tints, tmp_path / "many", batch_size=5)
    assert many == few
    assert few.total() > 0  # the loss is read at the end


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("defense", DEFENSES.names())
def test_steps_on_a_gpu_do_not_synchronise(defense: str, tints: Path, tmp_path: Path) -> None:
    planned = tiny.planned(defense, tints, tmp_path, device="cuda", batch_size=5)
    networks = {
        "classifier": planned.build(),
        **planned.defense.networks(planned.data.shape, len(planned.data.classes)),
    }
    learner = Learner(networks, planned.data.train.x.device, 1e-3, 0.9)
    index = torch.arange(5, device="cuda")
    share = learner.processes.share(5)

    def step() -> None:
        x = augmented(planned.data, index)
        training._step(
            planned.spec, planned.defense, learner, share, x, planned.data.train.y[index]
        )

    step()  # libraries load
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
