"""Which results make up a section's robustness curves: final checkpoints, by attack and variant."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from robench import metrics
from robench.archive import Result
from robench.legible import MOST
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
    left_out: int = 0
    """Variants beyond what a figure shows."""

    @property
    def joined(self) -> tuple[str, ...]:
        """Return the variants that have two strengths or more: theirs are curves, not points."""
        return tuple(name for name, strengths in self.curves.items() if len(strengths) > 1)


def tracks(section: Section) -> tuple[Track, ...]:
    """Return the curves under each minimal attack that was run white-box, in table order.

    All are of the same images. Earlier checkpoints are left out: a curve is of strengths (paper,
    Fig. 5), and what training passed through is of none. So are attacks that were run on no two
    strengths of a variant, where others were. Of more than `legible.MOST` variants, those of most
    strengths are kept, and among these the most robust.
    """
    finals = {run.final.sha256: run for run in section.runs}
    used = on_common_images([one for one in section.results if _counts(one, finals)])
    names = labels(sorted({condition(one.evaluation) for one in used}, key=table_order))
    by_condition: dict[Condition, list[Final]] = {}
    for result in used:
        final = Final(finals[result.evaluation.weights], result)
        by_condition.setdefault(condition(result.evaluation), []).append(final)
    found = []
    for one, title in names.items():
        variants: dict[str, list[Final]] = {}
        for final in by_condition[one]:
            variants.setdefault(final.run.variant, []).append(final)
        curves = {variant: by_strength(variants[variant]) for variant in sorted(variants)}
        found.append(Track(one, title, curves))
    drawable = [track for track in found if track.joined]
    return _legible(drawable or found)


def _legible(found: Sequence[Track]) -> tuple[Track, ...]:
    """Keep as many variants as a figure shows, the same under every attack."""
    variants = sorted({name for track in found for name in track.curves})
    if len(variants) <= MOST:
        return tuple(found)

    def key(name: str) -> tuple[int, float]:
        own = [track.curves[name] for track in found if name in track.curves]
        rho = [
            metrics.rho(final.result.outcomes)
            for strengths in own
            for seeds in strengths.values()
            for final in seeds
        ]
        return max(map(len, own)), max((one for one in rho if not math.isnan(one)), default=0.0)

    best = set(sorted(variants, key=key, reverse=True)[:MOST])
    missing = len(variants) - len(best)
    return tuple(
        replace(
            track,
            curves={name: one for name, one in track.curves.items() if name in best},
            left_out=missing,
        )
        for track in found
    )


def as_published(section: Section, one: Condition) -> bool:
    """Tell whether published numbers stand beside ours, and are of this attack and its settings."""
    known = terms(section.published)
    return known is not None and known.ran(one.attack, dict(one.settings), one.engine)


def _counts(result: Result, finals: Mapping[str, Run]) -> bool:
    one = result.evaluation
    return one.white_box and one.minimal and not one.adaptive and one.weights in finals
