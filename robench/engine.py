"""Whose implementation of an attack runs, and in which precision it may search."""

from typing import get_args

import torch
from torch import nn

from robench.attack import Attack
from robench.environment import choose_precision
from robench.errors import UserError
from robench.estimator import wrap
from robench.records import Engine, Precision


def engine_of(word: str) -> Engine:
    """Return the engine called `word`; UserError where there is none of that name."""
    for engine in get_args(Engine):
        if engine == word:
            return engine
    raise UserError(f"--engine {word} is not of {', '.join(get_args(Engine))}")


def rehearse(name: str, attack: Attack) -> None:
    """Build ART's implementation of an attack against a network of six weights and three classes.

    Raises UserError where ART has none, or none under these settings.
    """
    with torch.random.fork_rng(devices=[]):
        network = nn.Sequential(nn.Flatten(), nn.Linear(2, 3))
    try:
        attack.build_art(wrap(network, (1, 1, 2), 3))
    except UserError as error:
        raise UserError(f"--engine art: {error}") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"--engine art: ART's {name} takes no such settings ({error})") from None


def search_precision(asked: str, device: torch.device, attack: Attack, engine: Engine) -> Precision:
    """Return what an attack searches in.

    `asked`: auto, bf16 or float32. auto is that of training on a CPU, and float32 on a GPU, where
    nothing has been measured. ART's attacks, and those of ours that do not say that they can
    search in less, take float32 whatever was asked for.
    """
    if engine == "art" or not attack.reduced_precision:
        return "float32"
    if asked == "auto" and device.type != "cpu":
        return "float32"
    return choose_precision(asked, device)
