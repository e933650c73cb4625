"""What stands in the report of classifiers that robench did not train: each by itself, unranked."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from robench import pooled
from robench.archive import Archive, Result
from robench.envelope import envelope
from robench.imported.record import Imported
from robench.outcomes import Outcomes
from robench.pooled import Numbers
from robench.records import Audit
from robench.standings import Condition, Section, condition, labels, on_common_images, table_order


@dataclass(frozen=True, eq=False)
class Own:
    """A classifier with its results, all white-box, at its own benign accuracy."""

    imported: Imported
    label: str
    """Its name, with its hash where another has the same."""
    whole: tuple[Result, ...]
    """On all images, in table order; at least one."""
    parts: tuple[Result, ...]
    """Of attacks that were run on a part of these images alone."""
    audit: Audit | None
    near: tuple[float, ...]
    """Benign accuracies that rows of the report are matched at, on the same images, and that its
    own is within the tolerance of."""

    @property
    def results(self) -> tuple[Result, ...]:
        """Return all results, those on a part of the images last."""
        return (*self.whole, *self.parts)

    @cached_property
    def envelope(self) -> Outcomes:
        """Return the nearest error that any of its attacks found, image by image."""
        parts = [one.outcomes for one in self.parts]
        return envelope([one.outcomes for one in self.whole], parts)

    def numbers(self, radii: Sequence[float]) -> Numbers:
        """Return what the summary shows of the envelope."""
        return pooled.numbers([self.envelope], radii, self.imported.key)


@dataclass(frozen=True, eq=False)
class Group:
    """The classifiers for the same images and labels, by name."""

    dataset: str
    data: str
    """Hash of the images and labels."""
    networks: tuple[Own, ...]

    @property
    def radii(self) -> tuple[float, ...]:
        """Return the radii of all attacks of fixed budget, ascending."""
        found = {result.evaluation.radius for one in self.networks for result in one.results}
        return tuple(sorted(radius for radius in found if radius is not None))

    @property
    def attacks(self) -> dict[Condition, str]:
        """Return what each attack is called, in table order."""
        found = {condition(result.evaluation) for one in self.networks for result in one.results}
        return labels(sorted(found, key=table_order))


def groups(found: Archive, sections: Sequence[Section]) -> tuple[Group, ...]:
    """Return the attacked classifiers by their images; `sections`: what the report shows besides.

    Those that nothing attacked are left out.
    """
    by_images: dict[tuple[str, str], list[Own]] = {}
    for one in sorted(found.imported.values(), key=lambda one: (one.name, one.key)):
        own = _own(found, sections, one)
        if own is not None:
            by_images.setdefault((one.dataset, one.data), []).append(own)
    return tuple(Group(*images, tuple(own)) for images, own in sorted(by_images.items()))


def _own(found: Archive, sections: Sequence[Section], one: Imported) -> Own | None:
    results = [result for result in found.results if result.evaluation.weights == one.weights]
    whole = on_common_images(results)
    if not whole:
        return None
    all_images = set(whole[0].outcomes.index.tolist())
    ran = {condition(result.evaluation) for result in whole}
    parts = [
        result
        for result in results
        if condition(result.evaluation) not in ran
        and all_images.issuperset(result.outcomes.index.tolist())
    ]
    near = {target for section in sections for target in _near(section, one, whole)}
    same = [other for other in found.imported.values() if other.name == one.name]
    return Own(
        imported=one,
        label=f"{one.name} {one.key[-10:]}" if same[1:] else one.name,
        whole=tuple(sorted(whole, key=_order)),
        parts=tuple(sorted(parts, key=_order)),
        audit=found.audits.get(one.weights),
        near=tuple(sorted(near)),
    )


def _order(result: Result) -> tuple[bool, str, bool, str]:
    return table_order(condition(result.evaluation))


def _near(section: Section, one: Imported, whole: Sequence[Result]) -> list[float]:
    """Return the targets of a section that a classifier's benign accuracy is at."""
    if section.spec.data != one.data:
        return []
    accuracy, images = whole[0].benign.value, whole[0].evaluation.images
    return [
        standing.target
        for standing in section.standings
        if abs(accuracy - standing.target) <= standing.tolerance + 1e-9
        and any(row.whole and row.whole[0].evaluation.images == images for row in standing.rows)
    ]
