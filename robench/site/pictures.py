"""The adversarial images that a table shows: of one attack, as few as keep the page small."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from robench.archive import Archive, Result
from robench.contents import Gallery
from robench.errors import UserError
from robench.pictured import gallery
from robench.ranking import Ranking
from robench.reproduction.record import Reproduction
from robench.samples import Samples
from robench.standings import Section, labels

IMAGES = 6
ROWS = 8
MOST = 1_500_000
"""Characters that the pictures of all tables take together."""


def shown(archive: Archive, ranking: Ranking, classes: Sequence[str]) -> Gallery | None:
    """Return what one attack made of the first images on the best rows; None where none are kept.

    The attack is the one of which most rows have images; of several, a minimal one, then the first
    in table order. Of several training seeds the first stands for the row.
    """
    tried = [
        (
            name,
            one.minimal,
            _kept(archive, [(e.variant, e.rows[0].white.get(one)) for e in ranking.entries]),
        )
        for one, name in labels(ranking.counted.standing.conditions).items()
    ]
    name, _, found = max(tried, key=lambda one: (len(one[2]), one[1]), default=("", False, []))
    return gallery(name, found[:ROWS], classes) if found else None


def within(galleries: Iterable[Gallery | None]) -> list[Gallery | None]:
    """Return the galleries, None in place of those that no longer fit on the page."""
    room, found = MOST, list[Gallery | None]()
    for one in galleries:
        room -= size(one) if one else 0
        found.append(one if room >= 0 else None)
    return found


def size(one: Gallery) -> int:
    """Return how many characters its pictures take."""
    return sum(len(picture.pixels) for row in one.rows for picture in row.pictures)


def classes_of(section: Section, reproductions: Iterable[Reproduction]) -> tuple[str, ...]:
    """Return the names of the classes, where a reproduction of the section's runs knows them."""
    runs = {run.key for run in section.runs}
    for made in reproductions:
        if any(cell.run in runs for shown in made.shown for cell in shown.cells):
            return made.classes
    return ()


def _kept(
    archive: Archive, results: Iterable[tuple[str, Result | None]]
) -> list[tuple[str, Samples]]:
    """Return the images that were kept of each result, all of the same test images."""
    found: list[tuple[str, Samples]] = []
    for label, result in results:
        samples = _samples(archive, result) if result else None
        if samples and (not found or (samples.index.tolist() == found[0][1].index.tolist())):
            found.append((label, samples))
    return found


def _samples(archive: Archive, result: Result) -> Samples | None:
    try:
        whole = archive.samples(result.evaluation.key)
    except UserError:  # none were kept, or they cannot be read: `robench verify` tells which
        return None
    kept = Samples(**{name: array[:IMAGES] for name, array in asdict(whole).items()})
    return kept if len(kept) and kept.image.shape[1] in (1, 3) else None
