"""A whole evaluation: match all trained defenses at some accuracies, attack each match."""

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from pathlib import Path

from robench import archive, panel
from robench.archive import AUDITS, SOURCES
from robench.arsenal import chosen_attacks, suits
from robench.audit.auditing import audited
from robench.containment import contained
from robench.data import Data
from robench.defense import Defense
from robench.environment import choose_device
from robench.errors import RunFailed, UserError
from robench.evaluation import NamedAttack, Subject, check_independent, evaluate, open_subject
from robench.matching import TOLERANCE, check_target, match
from robench.panel import Panel
from robench.planning import classifier_of, data_of, like
from robench.plugins import DEFENSES
from robench.records import (
    Audit,
    Epoch,
    Evaluation,
    Match,
    Run,
    RunSpec,
    Setting,
    audit_key,
)
from robench.runs import read_run, read_runs, write_json
from robench.training import train

KEPT = 8
"""Adversarial images kept of an evaluation by itself: at CIFAR's size some 100 kB."""


@dataclass(frozen=True)
class Campaign:
    """What a person asks to evaluate."""

    targets: Sequence[float]
    """Benign accuracies to match at; none where `finals` alone are asked for."""
    tolerance: float = TOLERANCE
    preset: str | None = None
    """None: `standard`, or `paper` where ART runs, which has no more."""
    attacks: Sequence[str] = ()
    """Attacks to run instead of all of the preset."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """`cw.steps` and the like, over the preset's."""
    images: int | None = None
    """Test images to attack, class-balanced; None: all."""
    image_seed: int = 0
    source: str = "baseline"
    """The defense, at its defaults, of the network that black-box images are made on."""
    source_seed: int = 1000
    dataset: str | None = None
    """Only runs on this data set."""
    data_dir: Path | None = None
    runs: Path = Path("runs")
    device: str = "auto"
    engine: str = "robench"
    """Whose implementation of the attacks: robench's, or ART's own (art)."""
    precision: str = "auto"
    """What attacks may search in: auto, bf16 or float32. All is verified in float32."""
    keep: int | None = None
    """Adversarial images to keep of each evaluation. None: KEPT of those that are made anyway; a
    number has evaluations with fewer made again."""
    audit: bool = True
    """Ask the checks of the audit of every matched checkpoint in the end."""
    finals: bool = False
    """Attack the final checkpoints of all runs too, matched or not: white-box, and not audited.

    One that was audited before is audited again, as rows attacked since their audit are not ranked.
    """
    only: Collection[str] | None = None
    """Keys of the runs to look at; None: all under `runs`."""


Event = Match | Epoch | Evaluation | Audit
"""What `conduct` tells of: a match, an epoch of the source, a finished evaluation, an audit."""


@dataclass(frozen=True)
class _Share:
    """What a campaign attacks of one protocol: checkpoints named by run and step."""

    runs: list[Run]
    matched: set[tuple[str, int]]
    finals: set[tuple[str, int]]
    data: Data


class NothingMatches(RunFailed):
    """No checkpoint is within the tolerance of any target."""


def conduct(campaign: Campaign, *, bar: bool = False) -> Iterator[tuple[Event, bool]]:
    """Match, train the source if need be, attack; yield each step and whether it is new.

    What cannot be had is refused first. Then everything is stored under `campaign.runs` as soon as
    it is known, so that a repeated call goes on where the last one stopped. Raises NothingMatches,
    at the end, where there are targets and nothing matched.
    """
    attacks = check(campaign)
    choose_device(campaign.device)
    runs = _runs(campaign)
    by_target = [match(runs, target, campaign.tolerance) for target in campaign.targets]
    matches = [found for group in by_target for found in group]
    matched = [found for found in matches if found.how != "unmatched"]
    shares = _shares(campaign, runs, matched)
    for group in by_target:
        _store(campaign.runs, group)
    for found in matches:
        yield found, True
    for share in shares:
        yield from _attack_all(campaign, share, attacks, bar=bar)
    if campaign.targets and not matched:
        raise NothingMatches("no checkpoint matches; the lines above say what to train")


def check(campaign: Campaign) -> list[NamedAttack]:
    """Return the attacks of a campaign; UserError for what shows without runs and images."""
    if not campaign.targets and not campaign.finals:
        raise UserError("nothing to attack; say --matched-accuracy 0.70, --final, or both")
    for target in campaign.targets or (0.5,):
        check_target(target, campaign.tolerance)
    check_numbers(campaign)
    DEFENSES.get(campaign.source)
    return attacks_of(campaign)


def check_numbers(campaign: Campaign) -> None:
    """Raise UserError for numbers of images and seeds that are below 0."""
    if campaign.keep is not None and campaign.keep < 0:
        raise UserError(f"--keep {campaign.keep} is not at least 0; 0 keeps no images")
    if campaign.image_seed < 0:
        raise UserError(f"--image-seed {campaign.image_seed} is not at least 0")
    if campaign.source_seed < 0:
        raise UserError(f"--source-seed {campaign.source_seed} is not at least 0")


def attacks_of(campaign: Campaign) -> list[NamedAttack]:
    """Return the attacks that a campaign runs; see `chosen_attacks`."""
    preset = campaign.preset or {"art": "paper"}.get(campaign.engine, "standard")
    asked = (preset, campaign.attacks, campaign.settings)
    return chosen_attacks(*asked, campaign.engine, campaign.precision)


def _runs(campaign: Campaign) -> list[Run]:
    found = read_runs(campaign.runs) if campaign.runs.is_dir() else []
    found = [run for run in found if campaign.only is None or run.key in campaign.only]
    wanted = [r for r in found if campaign.dataset in (None, r.spec.dataset)]
    if not wanted:
        of = f" on {campaign.dataset}" if campaign.dataset else ""
        there = ", ".join(sorted({r.spec.dataset for r in found})) or "none"
        raise UserError(
            f"no finished run{of} under {campaign.runs} (data sets there: {there}); "
            "train one: robench train --defense pgn"
        )
    return wanted


def _shares(campaign: Campaign, runs: list[Run], matched: list[Match]) -> list[_Share]:
    """Return what to attack of each protocol; UserError for images or a source not to be had."""
    if campaign.images is not None and campaign.images < 1:
        raise UserError(f"--images {campaign.images} is not at least 1")
    shares, by_key = list[_Share](), {run.key: run for run in runs}
    for protocol in sorted({run.spec.protocol for run in runs}):
        own = [run for run in runs if run.spec.protocol == protocol]
        chosen = {(found.run, found.step) for found in matched if found.protocol == protocol}
        finals = {(run.key, run.final.step) for run in own if campaign.finals} - chosen
        if chosen or finals:
            if chosen:
                _source(campaign, [by_key[key].spec for key, _ in sorted(chosen)])
            shares.append(_Share(own, chosen, finals, _images(campaign, own[0].spec, shares)))
    return shares


def _images(campaign: Campaign, spec: RunSpec, others: Sequence[_Share]) -> Data:
    """Return the images of a run: another share's where they are the same, held once."""
    parts = attrgetter("dataset", "dataset_settings", "data", "validation")
    for other in others:
        if parts(other.runs[0].spec) == parts(spec):
            return other.data
    data = data_of(spec, campaign.data_dir, campaign.runs, campaign.device)
    panel.check_count(data, campaign.images)
    return data


def _store(runs: Path, matches: list[Match]) -> None:
    """Store the matches of one accuracy, a file for each protocol."""
    for protocol in sorted({found.protocol for found in matches}):
        rows = [found for found in matches if found.protocol == protocol]
        path = contained(runs, archive.matches_path(runs, rows[0]))
        write_json(path, {"rows": [asdict(found) for found in rows]})


def _attack_all(
    campaign: Campaign, share: _Share, attacks: list[NamedAttack], *, bar: bool
) -> Iterator[tuple[Event, bool]]:
    """Attack checkpoints of one protocol, all on the same images.

    Those that are `matched` from a source too, which is the same for all, `finals` without.
    """
    data = share.data
    shown = panel.choose(data, campaign.images, campaign.image_seed)
    by_key = {run.key: run for run in share.runs}
    given = (campaign, by_key, attacks, shown, data)
    if share.matched:
        specs = [by_key[key].spec for key, _ in sorted(share.matched)]
        source = yield from source_of(campaign, specs, data, bar=bar)
        yield from attacked(*given, sorted(share.matched), source, bar=bar)
    yield from attacked(*given, sorted(share.finals), None, bar=bar)
    asked = share.matched | audited_before(campaign.runs, share.finals)
    if campaign.audit and asked:
        yield from audits(campaign.runs, share.runs, asked, data)


def source_of(
    campaign: Campaign, specs: Sequence[RunSpec], data: Data, *, bar: bool
) -> Generator[tuple[Event, bool], None, Subject]:
    """Return the network that black-box images for runs of one protocol are made on.

    It is trained if it is missing. Raises UserError where it is one of them.
    """
    wanted, defense = _source(campaign, specs)
    sources = contained(campaign.runs, campaign.runs / SOURCES)
    return (yield from trained_source(sources, wanted, defense, data, bar=bar))


def _source(campaign: Campaign, specs: Sequence[RunSpec]) -> tuple[RunSpec, Defense]:
    """Return the source of some runs; UserError where it is one of them."""
    wanted, defense = like(specs[0], campaign.source, campaign.source_seed)
    for spec in specs:
        check_independent(wanted, spec)
    return wanted, defense


def attacked(
    campaign: Campaign,
    by_key: Mapping[str, Run],
    attacks: list[NamedAttack],
    shown: Panel,
    data: Data,
    checkpoints: Sequence[tuple[str, int]],
    source: Subject | None,
    *,
    bar: bool,
) -> Iterator[tuple[Event, bool]]:
    """Attack checkpoints white-box and from the source, if any, by all that is not adaptive."""
    for key, step in checkpoints:
        subject = opened(campaign.runs / key, by_key[key], step, data)
        for named in attacks:
            if not suits(named, subject.trained.spec):
                continue
            for made_on in (None,) if named.adaptive or source is None else (None, source):
                yield evaluate(
                    *(campaign.runs, subject, named, shown, made_on),
                    data=data,
                    keep=KEPT if campaign.keep is None else campaign.keep,
                    again=campaign.keep is not None,
                    precision=campaign.precision,
                    bar=bar,
                )


def audited_before(root: Path, checkpoints: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return those of some checkpoints, named by run and step, that have an audit under `root`."""
    there = {path.stem for path in (root / AUDITS).glob("*.json")}
    return {one for one in checkpoints if audit_key(*one) in there}


def audits(
    root: Path, runs: list[Run], checkpoints: Collection[tuple[str, int]], data: Data
) -> Iterator[tuple[Audit, bool]]:
    """Audit checkpoints of `runs`, named by run and step, and store what was found."""
    found, by_key = archive.read(root), {run.key: run for run in runs}
    for key, step in sorted(checkpoints):
        subject = opened(root / key, by_key[key], step, data)
        yield audited(root, subject, data, found)


def trained_source(
    root: Path, wanted: RunSpec, defense: Defense, data: Data, *, bar: bool
) -> Generator[tuple[Event, bool], None, Subject]:
    """Return the network that black-box images are made on, trained if it is missing."""
    build = classifier_of(wanted, data.shape, len(data.classes))
    for row in train(wanted, defense, build, data, root, bar=bar):
        yield row, True
    run = read_run(root / wanted.key)
    return opened(root / wanted.key, run, run.final.step, data)


def opened(folder: Path, run: Run, step: int, data: Data) -> Subject:
    """Load a checkpoint of a run folder onto the device of `data`."""
    build = classifier_of(run.spec, run.shape, run.classes)
    return open_subject(folder, run, step, build, data.test.y.device)
