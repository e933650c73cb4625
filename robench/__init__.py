"""Adversarial-training defenses compared at matched benign accuracy.

Importing this costs nothing; each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robench.api import checkpoints, evaluate, evaluations, report, reproduce, study, train
    from robench.errors import RunFailed, UserError

__all__ = [
    "RunFailed",
    "UserError",
    "checkpoints",
    "evaluate",
    "evaluations",
    "report",
    "reproduce",
    "study",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'robench' has no attribute {name!r}")
    home = "robench.errors" if name in ("RunFailed", "UserError") else "robench.api"
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    """Return the public names, loaded or not: for interactive shells and the reference."""
    return sorted(__all__)
