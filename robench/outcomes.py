"""What an attack did to each image: the arrays every number of the report comes from."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robench import arrays
from robench.errors import UserError

KINDS = {
    **{"index": "i", "label": "i", "clean": "i", "adversarial": "i"},
    **{"distance": "f", "success": "b"},
}
"""What each array holds: whole numbers, floats or truth values."""

SHARED = ("index", "label", "clean")
"""What evaluations on the same images, or of one network on them, have in common."""
JUDGED = ("label", "clean", "success", "distance")
"""What decides whether, and how far away, an image was fooled."""
Pool = dict[tuple[str, bytes], NDArray[Any]]
"""Arrays by their numbers' kind and bytes."""

LONGER = 1e-4
"""Share by which a perturbation may exceed the radius of an attack and still counts."""


@dataclass(frozen=True)
class Outcomes:
    """One entry an image, all of the same length."""

    index: NDArray[np.int32]
    """Position in the test set."""
    label: NDArray[np.int16]
    clean: NDArray[np.int16]
    """Class predicted for the image itself."""
    adversarial: NDArray[np.int16]
    """Class predicted for the adversarial image, as the attack returned it."""
    distance: NDArray[np.float32]
    """L2 norm of the perturbation; infinity where the attack failed."""
    success: NDArray[np.bool_]
    """Predicted wrong, inside the box and the radius. A misclassified image counts, at 0, also
    where the attack made it right: whoever attacks would have left it alone."""
    norm: NDArray[np.float32]
    """L2 norm of the perturbation, whether it fooled or not. NaN where the attack returned that,
    or where it failed and an older robench recorded the evaluation."""

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Tell which images are classified correctly before the attack."""
        return self.clean == self.label

    @property
    def sound(self) -> bool:
        """Tell whether every success lies at a distance: without one, no mean says anything."""
        distance = self.distance[self.success]
        return bool((np.isfinite(distance) & (distance >= 0)).all())

    @property
    def contradictory(self) -> NDArray[np.bool_]:
        """Tell which images have a distance that does not go with what they were classified as."""
        failed_near = ~self.success & np.isfinite(self.distance)
        fooled_far = self.success & ~np.isfinite(self.distance)
        unchanged = self.success & self.correct & (self.adversarial == self.label)
        nowhere = self.success & self.correct & (self.distance == 0)
        spared = ~self.correct & ~(self.success & (self.distance == 0))
        return failed_near | fooled_far | unchanged | nowhere | spared

    def places(self, index: NDArray[np.integer[Any]]) -> NDArray[np.intp] | None:
        """Return where images stand, by their position in the test set; None where one does not.

        Of an image that is here twice, the first.
        """
        order = np.argsort(self.index, kind="stable")
        found = np.searchsorted(self.index, index, sorter=order)
        if len(found) and found.max() >= len(order):
            return None
        at: NDArray[np.intp] = order[found]
        return at if np.array_equal(self.index[at], index) else None

    def at(self, places: NDArray[np.intp]) -> "Outcomes":
        """Return the outcomes at these places, in their order."""
        return Outcomes(**{name: array[places] for name, array in asdict(self).items()})

    def save(self, path: Path) -> None:
        """Write all arrays into one compressed file."""
        arrays.save(path, asdict(self))

    @classmethod
    def load(cls, path: Path, pool: Pool | None = None) -> "Outcomes":
        """Read what `save` wrote; raise UserError for anything else.

        Arrays that `pool` holds already, or will from now on, are shared and cannot be written to.
        """
        read = arrays.load(path, KINDS, optional={"norm": "f"})
        distance = read["distance"]
        if any(array.ndim != 1 for array in read.values()):
            raise UserError(f"{path}: more than a number an image; delete it and evaluate again")
        if pool is not None:
            read |= {name: _shared(read[name], pool) for name in SHARED}
        unknown = np.float32(np.nan)
        read = {"norm": np.where(np.isfinite(distance), distance, unknown), **read}
        return cls(**read | settled(**{name: read[name] for name in JUDGED}))


def settled(
    label: NDArray[np.integer[Any]],
    clean: NDArray[np.integer[Any]],
    success: NDArray[np.bool_],
    distance: NDArray[np.float32],
) -> dict[str, NDArray[Any]]:
    """Return success and distance with misclassified images counted at 0, whatever became of them.

    An older robench recorded what the attack had left of them.
    """
    wrong = clean != label
    return {
        "success": success | wrong,
        "distance": np.where(wrong, np.float32(0), distance).astype(np.float32),
    }


def _shared(array: NDArray[Any], pool: Pool) -> NDArray[Any]:
    array.setflags(write=False)
    return pool.setdefault((array.dtype.str, array.tobytes()), array)
