"""Some of the images that an attack made, kept to be looked at."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from robench import arrays
from robench.errors import UserError
from robench.outcomes import Outcomes

if TYPE_CHECKING:
    from robench.panel import Panel  # loads torch, which reading records does without

KINDS = {
    **{"index": "i", "label": "i", "clean": "i", "predicted": "i"},
    **{"image": "f", "adversarial": "f"},
}
"""What each array holds: whole numbers or floats."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Some images of a panel and what became of them; one entry an image."""

    index: NDArray[np.int32]
    """Position in the test set."""
    label: NDArray[np.int16]
    clean: NDArray[np.int16]
    """Class predicted for the image itself."""
    predicted: NDArray[np.int16]
    """Class predicted for the adversarial image."""
    image: NDArray[np.float32]
    """(n, channels, height, width) in [0, 1]."""
    adversarial: NDArray[np.float32]
    """The adversarial image, as the attack returned it, fooling or not."""

    def __len__(self) -> int:
        return len(self.label)

    def save(self, path: Path) -> None:
        """Write all arrays into one compressed file."""
        arrays.save(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Samples":
        """Read what `save` wrote; raise UserError for anything else."""
        read = cls(**arrays.load(path, KINDS))
        flat = all(getattr(read, name).ndim == 1 for name, kind in KINDS.items() if kind == "i")
        if not flat or read.image.ndim != 4 or read.image.shape != read.adversarial.shape:
            raise UserError(f"{path}: images of odd shapes; delete it and evaluate again")
        return read


def samples_path(record: Path) -> Path:
    """Return where the samples of an evaluation lie: beside its record, as KEY.samples.npz."""
    return record.with_suffix(".samples.npz")


def taken(
    places: NDArray[np.intp], panel: "Panel", adversarial: NDArray[np.float32], outcomes: Outcomes
) -> Samples:
    """Return the images at these places of the panel."""
    said = outcomes.at(places)
    return Samples(
        index=said.index,
        label=said.label,
        clean=said.clean,
        predicted=said.adversarial,
        image=panel.x[places],
        adversarial=adversarial[places].astype(np.float32),
    )
