"""Which implementations of its operations a device may choose from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from robench.errors import RunFailed

WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
"""What cuBLAS asks to be told before it repeats its results (torch's notes on reproducibility)."""


@dataclass(frozen=True)
class Kernels:
    """How a training computes; what it computes is the same up to rounding."""

    deterministic: bool = False
    """The same bytes from the same seed on a GPU too; elsewhere that is so anyway."""
    compile: bool = False
    """Have torch compile the classifier, where that is faster."""

    @contextmanager
    def chosen(self, device: torch.device) -> Iterator[None]:
        """Compute like this inside; afterwards as before.

        Raises RunFailed for an operation of which `device` has no deterministic implementation.
        """
        before = torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled()
        if self.deterministic and device.type == "cuda":
            os.environ.setdefault(*WORKSPACE)
        # Shapes do not change: trying all convolutions once pays, but may choose anew every time.
        torch.backends.cudnn.benchmark = not self.deterministic
        torch.use_deterministic_algorithms(self.deterministic)
        try:
            yield
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            if self.deterministic and "deterministic" in reason:
                raise RunFailed(f"--deterministic: {reason}; leave it out") from None
            raise
        finally:
            torch.backends.cudnn.benchmark = before[0]
            torch.use_deterministic_algorithms(before[1])

    def described(self) -> dict[str, str]:
        """Return what a record says of it: nothing where nothing was asked for."""
        asked = {"deterministic": self.deterministic, "compile": self.compile}
        return {name: "yes" for name, wanted in asked.items() if wanted}


FREE = Kernels()
"""Whatever is fastest without compiling."""
