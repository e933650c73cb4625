"""Which results stand side by side: those on the same images, under the same attacks."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from robench.archive import Archive, Result
from robench.envelope import places
from robench.errors import UserError
from robench.metrics import Interval
from robench.published import NONE
from robench.records import Engine, Evaluation, Match, Run, RunSpec, Setting, digest, signed
from robench.study_record import Study


@dataclass(frozen=True)
class Condition:
    """An attack with its settings; results under one condition can be compared."""

    attack: str
    settings: tuple[tuple[str, Setting], ...]
    minimal: bool
    radius: float | None
    engine: Engine = "robench"
    adaptive: bool = False
    """Made for the defense: it is run on the defenses that it suits, and on no other."""

    @property
    def name(self) -> str:
        """Return the attack's name, and that it is ART's where it is."""
        return signed(self.attack, self.engine)


@dataclass(frozen=True, eq=False)
class Row:
    """One match with the results of its checkpoint, by condition."""

    match: Match
    run: Run
    label: str
    """The variant, with its seed where the table holds several."""
    white: Mapping[Condition, Result]
    black: Mapping[Condition, Result]
    parts: tuple[Result, ...]
    """Those on a part of the images, of attacks that were not run on all of them."""

    @property
    def whole(self) -> tuple[Result, ...]:
        """Return the results on all images, white-box first."""
        return (*self.white.values(), *self.black.values())

    @property
    def results(self) -> tuple[Result, ...]:
        """Return all results of the row, those on a part of the images last."""
        return (*self.whole, *self.parts)

    @property
    def weights(self) -> str:
        """Return the SHA-256 of the checkpoint."""
        return self.run.at(self.match.step).sha256

    @property
    def benign(self) -> Interval | None:
        """Return the benign accuracy; None where nothing was attacked."""
        return self.whole[0].benign if self.whole else None


@dataclass(frozen=True, eq=False)
class Standing:
    """All variants of one protocol at one benign accuracy."""

    target: float
    tolerance: float
    rows: tuple[Row, ...]
    """The matched ones, by variant and seed."""
    unmatched: tuple[Row, ...]
    conditions: tuple[Condition, ...]
    """In table order: fixed budgets first, then minimal, each by name."""
    sources: tuple[str, ...]
    """The runs that black-box images were made on: of one recipe, each row's on one."""
    count: int
    """Number of attacked images."""

    @cached_property
    def shared(self) -> tuple[Condition, ...]:
        """Return the attacks that have a line in every row: not run on some is said there."""
        ran = {one for row in self.rows for one in (*row.white, *row.black) if not one.adaptive}
        return tuple(one for one in self.conditions if one in ran)


@dataclass(frozen=True, eq=False)
class Section:
    """All that is comparable: everything trained on the same data by the same protocol."""

    spec: RunSpec
    """Of any one run; only what the protocol covers may be read from it."""
    example: Run
    runs: tuple[Run, ...]
    sources: tuple[Run, ...]
    results: tuple[Result, ...]
    variants: tuple[str, ...]
    """All variants by name, which gives each its colour."""
    standings: tuple[Standing, ...]
    study: Study | None = None
    """The run file that asked for it; of several, the first that names published results."""

    @property
    def published(self) -> str:
        """Return whose published results stand beside ours, as `robench.published` has them."""
        return self.study.published if self.study else NONE


def sections(archive: Archive) -> tuple[Section, ...]:
    """Sort the records into what can be compared, by data set and then by protocol."""
    for match in archive.matches:
        archive.run(match)  # raises for a match whose run is gone
    if unsound := [one.evaluation.key for one in archive.results if not one.outcomes.sound]:
        raise UserError(
            f"the evaluation {unsound[0]} has a success at no distance; delete its files under "
            f"{archive.root} and run `robench eval` again"
        )
    protocols: dict[tuple[str, str], list[Run]] = {}
    for run in archive.runs.values():
        protocols.setdefault((run.spec.dataset, run.spec.protocol), []).append(run)
    return tuple(_section(archive, runs) for _, runs in sorted(protocols.items()))


def condition(evaluation: Evaluation) -> Condition:
    """Return what the attack was, without where it was aimed."""
    settings = tuple(sorted(evaluation.settings.items()))
    kind = (evaluation.minimal, evaluation.radius)
    return Condition(evaluation.attack, settings, *kind, evaluation.engine, evaluation.adaptive)


def labels(conditions: Iterable[Condition]) -> dict[Condition, str]:
    """Name each condition by its attack, with the settings that tell it from its namesakes."""
    listed = list(conditions)
    names = {}
    for one in listed:
        others = [other for other in listed if other.name == one.name]
        shared = set(one.settings).intersection(*(other.settings for other in others))
        own = ", ".join(
            f"{name}={value}" for name, value in one.settings if (name, value) not in shared
        )
        names[one] = f"{one.name} ({own})" if own else one.name
    return names


def on_common_images(results: Sequence[Result]) -> tuple[Result, ...]:
    """Keep the results on one set of images: that of most results, then the largest."""
    counts = Counter((result.evaluation.images, result.evaluation.count) for result in results)
    if not counts:
        return ()
    panel = max(counts, key=lambda one: (counts[one], one[1], one[0]))
    return tuple(one for one in results if (one.evaluation.images, one.evaluation.count) == panel)


def _section(archive: Archive, runs: list[Run]) -> Section:
    weights = {kept.sha256 for run in runs for kept in run.checkpoints}
    results = tuple(one for one in archive.results if one.evaluation.weights in weights)
    sources = _sources(archive, results)
    protocol = runs[0].spec.protocol
    matches = [match for match in archive.matches if match.protocol == protocol]
    targets = sorted({match.target for match in matches})
    return Section(
        spec=runs[0].spec,
        example=runs[0],
        runs=tuple(sorted(runs, key=lambda run: (run.variant, run.spec.seed, run.key))),
        sources=tuple(run for _, run in sorted(sources.items())),
        results=results,
        variants=tuple(sorted({run.variant for run in runs})),
        standings=tuple(
            _standing(archive, [match for match in matches if match.target == target], results)
            for target in targets
        ),
        study=_study(archive.studies, protocol),
    )


def _study(studies: Iterable[Study], protocol: str) -> Study | None:
    own = [one for one in studies if one.protocol == protocol]
    return min(own, key=lambda one: (one.published == NONE, one.name), default=None)


def _sources(archive: Archive, results: Iterable[Result]) -> dict[str, Run]:
    """Return the runs that black-box attacks were made on, by key, where they are recorded."""
    keys = {one.evaluation.source or "" for one in results}
    return {key: run for key in keys if (run := archive.source(key)) is not None}


def _standing(archive: Archive, matches: list[Match], results: tuple[Result, ...]) -> Standing:
    matches = sorted(matches, key=lambda match: (match.variant, match.defense, match.seed))
    several = len({match.seed for match in matches}) > 1
    chosen = {_weights(archive, match) for match in matches if match.how != "unmatched"}
    own = [one for one in results if one.evaluation.weights in chosen]
    whole = on_common_images(own)
    used = _from_one_recipe((*whole, *_on_part(own, whole)), _sources(archive, own))
    keys = {one.evaluation.key for one in whole}
    by_weights: dict[str, list[Result]] = {}
    for one in used:
        by_weights.setdefault(one.evaluation.weights, []).append(one)
    rows = [_row(archive, match, by_weights, keys, several) for match in matches]
    return Standing(
        target=matches[0].target,
        tolerance=max(match.tolerance for match in matches),
        rows=tuple(row for row in rows if row.match.how != "unmatched"),
        unmatched=tuple(row for row in rows if row.match.how == "unmatched"),
        conditions=tuple(sorted({condition(one.evaluation) for one in used}, key=table_order)),
        sources=tuple(sorted({one.evaluation.source or "" for one in used} - {""})),
        count=whole[0].evaluation.count if whole else 0,
    )


def _on_part(results: Iterable[Result], whole: Sequence[Result]) -> list[Result]:
    """Return the results on fewer images, all of which are among those of `whole`."""
    if not whole:
        return []
    all_images = whole[0].outcomes
    fewer = [one for one in results if one.evaluation.count < whole[0].evaluation.count]
    return [one for one in fewer if places(one.outcomes, all_images) is not None]


def _row(
    archive: Archive,
    match: Match,
    results: Mapping[str, Sequence[Result]],
    keys: Collection[str],
    seed: bool,
) -> Row:
    """Attach the checkpoint's results; an unmatched row gets none, being compared with nothing.

    `results`: by weights; `keys`: of the results on all images.
    """
    matched = match.how != "unmatched"
    own = results.get(_weights(archive, match), ()) if matched else ()
    whole = [one for one in own if one.evaluation.key in keys]
    ran = {_side(one.evaluation) for one in whole}
    return Row(
        match=match,
        run=archive.run(match),
        label=f"{match.variant} seed {match.seed}" if seed else match.variant,
        white={condition(one.evaluation): one for one in whole if one.evaluation.white_box},
        black={condition(one.evaluation): one for one in whole if not one.evaluation.white_box},
        parts=tuple(one for one in own if one not in whole and _side(one.evaluation) not in ran),
    )


def _side(evaluation: Evaluation) -> tuple[Condition, bool]:
    return condition(evaluation), evaluation.white_box


def _weights(archive: Archive, match: Match) -> str:
    return archive.run(match).at(match.step).sha256


def _from_one_recipe(results: tuple[Result, ...], sources: Mapping[str, Run]) -> tuple[Result, ...]:
    """Keep white-box results, and of the others those from sources that differ in seed alone.

    Of several recipes the one of most results; of several sources that the same attack on a network
    came from, the one of most. `sources`: by key.
    """
    trained = {key: digest(asdict(replace(run.spec, seed=0))) for key, run in sources.items()}
    made: dict[str, list[Evaluation]] = {}
    for found in (one.evaluation for one in results if not one.evaluation.white_box):
        # A source of which no record tells is known by its weights.
        recipe = trained.get(found.source or "", str(found.source_weights))
        made.setdefault(recipe, []).append(found)
    own = max(made.items(), key=lambda one: (len(one[1]), one[0]))[1] if made else []
    used = Counter(str(one.source_weights) for one in own)
    own.sort(key=lambda one: (used[str(one.source_weights)], one.key))
    kept = {(one.weights, condition(one), one.images): one.key for one in own}  # the last of each
    keys = set(kept.values())
    return tuple(one for one in results if one.evaluation.white_box or one.evaluation.key in keys)


def table_order(one: Condition) -> tuple[bool, str, bool, str]:
    """Order attacks as tables do: fixed budgets first, then minimal, each by name, ART's last."""
    return one.minimal, one.attack, one.engine != "robench", repr(one.settings)
