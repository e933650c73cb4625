"""What an attack did to each image: the arrays every number of the report comes from."""

import io
import zipfile
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robench import files
from robench.errors import UserError

UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
"""What numpy raises for a file that is no archive of arrays, or a broken one."""


@dataclass(frozen=True)
class Outcomes:
    """One entry an image, all of the same length."""

    index: NDArray[np.int32]
    """Position in the test set."""
    label: NDArray[np.int16]
    clean: NDArray[np.int16]
    """Class predicted for the image itself."""
    adversarial: NDArray[np.int16]
    """Class predicted for the adversarial image."""
    distance: NDArray[np.float32]
    """L2 norm of the perturbation; infinity where the attack failed."""
    success: NDArray[np.bool_]
    """Predicted wrong, inside the box and the radius. A misclassified image counts, at 0."""

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Tell which images are classified correctly before the attack."""
        return self.clean == self.label

    def save(self, path: Path) -> None:
        """Write all arrays into one compressed file."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **asdict(self))
        files.write(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Outcomes":
        """Read what `save` wrote; raise UserError for anything else."""
        try:
            # From memory: numpy leaves a damaged file open.
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
                arrays = {field.name: archive[field.name] for field in fields(cls)}
        except UNREADABLE as error:
            raise UserError(
                f"{path} cannot be read ({error}); delete it and evaluate again"
            ) from None
        if len({len(array) for array in arrays.values()}) != 1:
            raise UserError(f"{path}: arrays of unequal length; delete it and evaluate again")
        return cls(**arrays)
