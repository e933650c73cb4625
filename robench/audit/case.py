"""What the checks of an audit see: a checkpoint, some images, and what was recorded of both."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robench.archive import Result
from robench.attacking import BATCH, exact
from robench.audit import probing
from robench.audit.probing import Probe
from robench.data import Split, balanced
from robench.envelope import envelope
from robench.evaluation import Subject
from robench.gradient import with_norm
from robench.outcomes import Outcomes
from robench.panel import Panel
from robench.records import Match

TRAINING = 2000
"""Training images that the network is asked about, at most."""


@dataclass(frozen=True, eq=False)
class Case:
    """One evaluated checkpoint. What is measured on the network is measured once."""

    subject: Subject
    panel: Panel
    """The images that the network is probed with: some of those attacked, their classes mixed."""
    results: tuple[Result, ...]
    """All evaluations of the checkpoint on one set of images, or on a part of it."""
    train: Split
    """The training images of the run."""
    matches: tuple[Match, ...] = ()
    """Those that name the checkpoint."""
    seeds: int = 1
    """Training seeds of its variant that are matched at the same accuracy, the fewest."""
    left_out: tuple[str, ...] = ()
    """The attacks whose evaluations are of other images: no check sees them."""
    adapted: bool = False
    """Whether an installed attack was made for the defense."""
    _made: dict[tuple[object, ...], Outcomes] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Return where the network is."""
        return next(self.subject.network.parameters()).device

    @cached_property
    def x(self) -> Tensor:
        """Return the probed images, float32 (n, channels, height, width) in [0, 1]."""
        return torch.from_numpy(self.panel.x).to(self.device)

    @cached_property
    def y(self) -> Tensor:
        """Return their labels, int64 (n,)."""
        return torch.from_numpy(self.panel.y).to(self.device)

    @torch.no_grad()
    def logits(self, x: Tensor) -> Tensor:
        """Return the network's outputs for `x`, float32 (n, classes)."""
        with exact():
            scores: Tensor = self.subject.network(x)
        return scores.float()

    @cached_property
    def scores(self) -> Tensor:
        """Return the outputs for the probed images."""
        return self.logits(self.x)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Tell which of the probed images are classified correctly."""
        right: NDArray[np.bool_] = (self.scores.argmax(dim=1) == self.y).cpu().numpy()
        return right

    @cached_property
    def trained(self) -> tuple[int, int]:
        """Return how many training images are classified correctly, and of how many."""
        labels = self.train.y
        chosen = torch.from_numpy(balanced(labels.cpu().numpy(), TRAINING, 0)).to(labels.device)
        parts = chosen.split(BATCH)
        said = torch.cat([self.logits(self.train.floats(part)).argmax(dim=1) for part in parts])
        return int((said == labels[chosen]).sum()), len(chosen)

    @cached_property
    def envelope(self) -> Outcomes:
        """Return what all recorded attacks together did to the probed images."""
        most = max(one.evaluation.count for one in self.results)
        whole = [one.outcomes for one in self.results if one.evaluation.count == most]
        parts = [one.outcomes for one in self.results if one.evaluation.count < most]
        return _of(envelope(whole, parts), self.panel)

    @cached_property
    def radius(self) -> float:
        """Return the radius that most attacks of fixed budget were held to; 0.5 without any."""
        radii = [one.evaluation.radius for one in self.results]
        known = [radius for radius in radii if radius is not None]
        return max(known, key=known.count, default=probing.RADIUS)

    def attacked(
        self, probe: Probe, places: NDArray[np.intp] | None = None, radius: float | None = None
    ) -> Outcomes:
        """Attack the probed images at `places`, all for None, with one of the audit's attacks."""
        chosen = np.arange(len(self.panel)) if places is None else places
        key = (probe, radius, chosen.tobytes())
        if key not in self._made:
            given = (self.subject.network, self.subject.run.classes, self.panel)
            self._made[key] = probing.attacked(*given, chosen, probe, radius or self.radius)
        return self._made[key]


def directions(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a direction an image: shaped as `x`, of L2 norm 1, whatever the device the same."""
    return with_norm(torch.randn(x.shape, generator=generator).to(x.device), 1.0)


def _of(outcomes: Outcomes, panel: Panel) -> Outcomes:
    """Return the part of outcomes that is of the images of `panel`."""
    places = outcomes.places(panel.index)
    assert places is not None  # the panel is of attacked images
    return outcomes.at(places)
