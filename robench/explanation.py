"""What stands behind a number of the leaderboard, as values that can be printed or stored."""

from collections.abc import Mapping
from dataclasses import dataclass

from robench.records import Settings


@dataclass(frozen=True)
class Shown:
    """A number as one table shows it."""

    table: str
    column: str
    text: str


@dataclass(frozen=True)
class Network:
    """A checkpoint that a number is of, and all that was recorded of how it came to be."""

    run: str
    variant: str
    seed: int | None
    """None: robench did not train it."""
    step: int
    file: str
    there: bool
    """Whether the weights lie there; a leaderboard folder holds none."""
    weights: str
    """SHA-256."""
    matched_by: str
    match_record: str
    """Empty where nothing was matched: the final checkpoint of a run. Of a network that robench did
    not train: its manifest."""
    dataset: str
    data: str
    """Hash of the images and labels."""
    model: str
    training: str
    """Epochs, batch size and whatever else the protocol says of training."""
    settings: Settings
    """Of the defense."""
    environment: Mapping[str, str]
    """Versions, commit, device and command line of the training."""
    audit: str
    """The verdict, with what it has against a rank; empty record where there is none."""
    audit_record: str


@dataclass(frozen=True)
class Measurement:
    """An evaluation that a number is computed from."""

    record: str
    run: str
    step: int
    weights: str
    attack: str
    side: str
    """white-box or black-box."""
    settings: Settings
    radius: float | None
    engine: str
    precision: str
    images: str
    """Hash of the images."""
    count: int
    violations: int
    seconds: float
    samples: str
    """File of adversarial images that were kept; empty where there is none."""
    source: str
    """Of black-box images: the run they were made on."""
    source_weights: str
    source_accuracy: float | None
    source_command: str
    environment: Mapping[str, str]
    """Versions, commit, device and command line of the evaluation."""
    decides: int | None
    """Of an envelope: the images whose least distance is of this attack, the first of several."""


@dataclass(frozen=True)
class Undecided:
    """What no attack decides in the envelope of a network."""

    run: str
    misclassified: int
    unfooled: int
    count: int


@dataclass(frozen=True)
class Pair:
    """A difference in rho_correct of the envelope between a ranked entry and another."""

    first: str
    second: str
    difference: str
    leader: str
    """Who is ahead; empty for a tie."""


@dataclass(frozen=True)
class Explanation:
    """All that stands behind one number."""

    row: str
    number: str
    dataset: str
    protocol: str
    target: float | None
    """None where the number is of the whole protocol."""
    shown: tuple[Shown, ...]
    """In one table or more; they may differ in which attacks have a say, or leave it out."""
    meaning: str
    interval: str
    remark: str
    """Why there is no number, or what to read it with; empty where neither."""
    networks: tuple[Network, ...]
    measurements: tuple[Measurement, ...]
    undecided: tuple[Undecided, ...]
    """Of an envelope, one a network."""
    pairs: tuple[Pair, ...]
    """Of a rank."""
