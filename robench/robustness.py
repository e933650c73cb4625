"""Which results make up a section's robustness curves: final checkpoints, by attack and variant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robench.archive import Result
from robench.published import terms
from robench.records import Run
from robench.standings import Condition, Section, condition, labels, on_common_images, table_order
from robench.strengths import by_strength


@dataclass(frozen=True, eq=False)
class Final:
    """The result of one attack on the final checkpoint of a run."""

    run: Run
    result: Result


Curves = Mapping[str, Mapping[str, Sequence[Final]]]
"""By variant, then by strength, the weakest first; what is of one strength are its seeds."""


@dataclass(frozen=True, eq=False)
class Track:
    """The robustness curves of all variants under one minimal attack."""

    condition: Condition
    title: str
    """The attack, with what tells it from its namesakes."""
    curves: Curves

    @property
    def joined(self) -> tuple[str, ...]:
        """Return the variants that have two strengths or more: theirs are curves, not points."""
        return tuple(name for name, strengths in self.curves.items() if len(strengths) > 1)


def tracks(section: Section) -> tuple[Track, ...]:
    """Return the curves under each minimal attack that was run white-box, in table order.

    All are of the same images. Earlier checkpoints are left out: a curve is of strengths (paper,
    Fig. 5), and what training passed through is of none. So are attacks that were run on no two
    strengths of a variant, where others were.
    """
    finals = {run.final.sha256: run for run in section.runs}
    used = on_common_images([one for one in section.results if _counts(one, finals)])
    names = labels(sorted({condition(one.evaluation) for one in used}, key=table_order))
    found = []
    for one, title in names.items():
        own = [
            Final(finals[result.evaluation.weights], result)
            for result in used
            if condition(result.evaluation) == one
        ]
        curves = {
            variant: by_strength(final for final in own if final.run.variant == variant)
            for variant in sorted({final.run.variant for final in own})
        }
        found.append(Track(one, title, curves))
    drawable = [track for track in found if track.joined]
    return tuple(drawable or found)


def as_published(section: Section, one: Condition) -> bool:
    """Tell whether published numbers stand beside ours, and are of this attack and its settings."""
    known = terms(section.published)
    return known is not None and known.ran(one.attack, dict(one.settings), one.engine)


def _counts(result: Result, finals: Mapping[str, Run]) -> bool:
    one = result.evaluation
    return one.white_box and one.minimal and not one.adaptive and one.weights in finals
