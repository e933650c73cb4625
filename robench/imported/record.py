"""What robench remembers of a classifier that it did not train: where it came from, not how."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from robench.conformance import from_json
from robench.containment import contained
from robench.errors import UserError
from robench.records import Checkpoint, Settings, digest, file_name
from robench.runs import read_json

IMPORTED = "imported"
"""Folder of the brought-in classifiers under a runs folder."""
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
STEP = 0
"""Stands for the step of training in evaluations and audits; it is not known."""
AGAIN = "delete its folder and evaluate the network again"


@dataclass(frozen=True)
class Imported:
    """A classifier that robench did not train. Of its training nothing is recorded."""

    name: str
    """What tables call it."""
    factory: str
    """What built it: a plugin's name, `ZOO:NAME`, `module:function`, `FILE:function@HASH`, or the
    class of a network that was in memory."""
    settings: Settings
    """Of a model plugin."""
    layers: str
    """Hash of the layers, as torch prints them."""
    origin: str
    """Name of the file that the weights were in; empty where they came with the network."""
    origin_sha256: str
    mean: tuple[float, ...]
    """Declared normalisation, one value a channel; empty where there is none, or it is inside."""
    std: tuple[float, ...]
    dataset: str
    dataset_settings: Settings
    data: str
    """Hash of the decoded images and labels."""
    classes: int
    shape: tuple[int, int, int]
    tensors: str
    """Hash of all weights and buffers."""
    weights: str
    """SHA-256 of the file that they are kept in."""
    accuracy: float
    """Benign accuracy on the test images that it was tried on when it was brought in."""
    notes: tuple[str, ...]
    """What was done to the file's content to make it fit."""
    environment: Mapping[str, str]
    """Versions, commit, device and command line of the call that brought it in."""

    @cached_property
    def key(self) -> str:
        """Return its name, which is also its folder's: equal names mean equal networks."""
        own = asdict(self)
        for measured in ("origin", "origin_sha256", "weights", "accuracy", "notes", "environment"):
            del own[measured]
        return f"{file_name(self.dataset)}-{file_name(self.name)}-{digest(own)}"

    @property
    def validation(self) -> int:
        """Return how many training images were held out for it: none that robench knows of."""
        return 0

    @property
    def variant(self) -> str:
        """Return what tables and progress bars call it."""
        return self.name

    @property
    def checkpoint(self) -> Checkpoint:
        """Return its weights as attacks and audits know weights."""
        return Checkpoint(self.key, STEP, 0.0, self.accuracy, WEIGHTS, self.weights, final=True)


def read(path: Path) -> Imported:
    """Read the manifest of a classifier's folder; UserError names it where it cannot be read."""
    row = read_json(path)
    row.pop("format")
    try:
        lists = {name: tuple(row[name]) for name in ("mean", "std", "shape", "notes")}
        found = from_json(Imported, {**row, **lists})
    except (KeyError, TypeError, UserError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}: {error}); {AGAIN}") from None
    if found.key != path.parent.name:
        raise UserError(f"{path} describes {found.key}, not {path.parent.name}; {AGAIN}")
    if not 0 <= found.accuracy <= 1 or len(found.mean) != len(found.std):
        raise UserError(f"{path}: accuracy, or mean and std, cannot be; {AGAIN}")
    return found


def read_all(root: Path) -> dict[str, Imported]:
    """Read all classifiers that were brought in under `root`, by key."""
    paths = sorted((root / IMPORTED).glob(f"*/{MANIFEST}"))
    return {one.key: one for one in (read(contained(root, path)) for path in paths)}
