"""Checkpoints along training, close enough in accuracy that any accuracy passed is matched.

A checkpoint (a rung) is kept whenever benign accuracy has moved by `rung` since the last one. To
see such a move in time without measuring every step, averaged weights are copied to memory every
`stride` steps; a window of copies is measured at its end and halved into only where accuracy has
moved by more than a rung. The stride adapts to how fast accuracy moves, but stays short: a rise
after a plateau is seen only once it is over, and two rungs in one stride would leave a gap. A peak
that is over before its window ends is not looked for.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from torch import nn

WINDOW = 128
MEMORY = 256 * 2**20
"""Bytes that the copies of one window may take."""
FIRST_STRIDE = 2
LAST_STRIDE = 4
SETTLING = 1000
"""Steps of training after which the stride may be one step longer."""


@dataclass(frozen=True)
class Measured:
    """A copy of the averaged classifier at `step` and its accuracy."""

    step: int
    network: nn.Module
    accuracy: float


@dataclass
class Ladder:
    """Collects copies during an epoch and decides which to keep."""

    rung: float
    measure: Callable[[nn.Module], float]
    keep: Callable[[Measured], None]
    stride: int = FIRST_STRIDE
    kept: float = 0.0
    """Accuracy of the last rung."""
    seen: float = 0.0
    """Accuracy at the end of the last window."""
    window: list[tuple[int, nn.Module]] = field(default_factory=list)

    def climb(self, step: int, network: nn.Module) -> None:
        """Look at the averaged `network` after `step` steps; measures when a window is full."""
        if not self.rung or step % self.stride:
            return
        self.window.append((step, copy.deepcopy(network)))
        if len(self.window) >= _copies(network):
            self.settle(step, network)

    def settle(self, step: int, network: nn.Module) -> float:
        """Measure `network` now, and what lies in the window as far as is needed; return it."""
        accuracy = self.measure(network)
        if self.rung:
            end = Measured(step, copy.deepcopy(network), accuracy)
            inside = [copied for copied in self.window if copied[0] < step]
            found = [*self._between(self.seen, inside, accuracy), end]
            for measured in found:
                if abs(measured.accuracy - self.kept) >= self.rung:
                    self.keep(measured)
                    self.kept = measured.accuracy
            self._adapt(step, [self.seen, *(measured.accuracy for measured in found)])
        self.seen = accuracy
        self.window.clear()
        return accuracy

    def _between(
        self, before: float, copies: list[tuple[int, nn.Module]], after: float
    ) -> list[Measured]:
        """Measure by halving, until neighbours are within a rung or no copy lies between."""
        if not copies or abs(after - before) <= self.rung:
            return []
        middle = len(copies) // 2
        step, network = copies[middle]
        found = Measured(step, network, self.measure(network))
        left = self._between(before, copies[:middle], found.accuracy)
        right = self._between(found.accuracy, copies[middle + 1 :], after)
        return [*left, found, *right]

    def _adapt(self, step: int, accuracies: list[float]) -> None:
        """Halve the stride where even neighbours lie apart; double it in a calm window."""
        moves = [abs(b - a) for a, b in pairwise(accuracies)]
        if max(moves) > self.rung:
            self.stride = max(1, self.stride // 2)
        elif len(moves) == 1:
            self.stride = min(self.stride * 2, max(LAST_STRIDE, step // SETTLING))


def _copies(network: nn.Module) -> int:
    """Return how many copies of `network` make a window."""
    size = sum(tensor.nbytes for tensor in network.state_dict().values())
    return max(4, min(WINDOW, MEMORY // max(size, 1)))
