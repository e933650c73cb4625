"""A whole evaluation: match all trained defenses at some accuracies, attack each match."""

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from robench import archive, panel
from robench.archive import SOURCES
from robench.arsenal import chosen_attacks, suits
from robench.audit.auditing import audited
from robench.containment import contained
from robench.data import Data
from robench.defense import Defense
from robench.errors import RunFailed, UserError
from robench.evaluation import NamedAttack, Subject, check_independent, evaluate, open_subject
from robench.matching import TOLERANCE, match
from robench.planning import classifier_of, data_of, like
from robench.plugins import DEFENSES
from robench.records import Audit, Epoch, Evaluation, Match, Run, RunSpec, Setting
from robench.runs import read_run, read_runs, write_json
from robench.training import train

KEPT = 8
"""Adversarial images kept of an evaluation by itself: at CIFAR's size some 100 kB."""


@dataclass(frozen=True)
class Campaign:
    """What a person asks to evaluate."""

    targets: Sequence[float]
    """Benign accuracies to match at."""
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
    """Ask the checks of the audit of every attacked checkpoint in the end."""


Event = Match | Epoch | Evaluation | Audit
"""What `conduct` tells of as it goes: a match, an epoch of the source, a finished evaluation, an
audit."""


def conduct(campaign: Campaign, *, bar: bool = False) -> Iterator[tuple[Event, bool]]:
    """Match, train the source if need be, attack; yield each step and whether it is new.

    Everything is stored under `campaign.runs` as soon as it is known, so that a repeated call goes
    on where the last one stopped. Raises RunFailed, at the end, where nothing matched.
    """
    attacks = attacks_of(campaign)
    if campaign.keep is not None and campaign.keep < 0:
        raise UserError(f"--keep {campaign.keep} is not at least 0; 0 keeps no images")
    DEFENSES.get(campaign.source)  # a mistake there shows before anything is written
    runs = _runs(campaign)
    by_target = [match(runs, target, campaign.tolerance) for target in campaign.targets]
    matches = [found for group in by_target for found in group]
    for group in by_target:
        _store(campaign.runs, group)
    for found in matches:
        yield found, True
    matched = [found for found in matches if found.how != "unmatched"]
    if not matched:
        raise RunFailed("no checkpoint matches; the lines above say what to train")
    for protocol in sorted({found.protocol for found in matched}):
        own = [run for run in runs if run.spec.protocol == protocol]
        chosen = [found for found in matched if found.protocol == protocol]
        yield from _attack_all(campaign, own, chosen, attacks, bar=bar)


def attacks_of(campaign: Campaign) -> list[NamedAttack]:
    """Return the attacks that a campaign runs; see `chosen_attacks`."""
    preset = campaign.preset or {"art": "paper"}.get(campaign.engine, "standard")
    asked = (preset, campaign.attacks, campaign.settings)
    return chosen_attacks(*asked, campaign.engine, campaign.precision)


def _runs(campaign: Campaign) -> list[Run]:
    found = read_runs(campaign.runs) if campaign.runs.is_dir() else []
    wanted = [r for r in found if campaign.dataset in (None, r.spec.dataset)]
    if not wanted:
        of = f" on {campaign.dataset}" if campaign.dataset else ""
        there = ", ".join(sorted({r.spec.dataset for r in found})) or "none"
        raise UserError(
            f"no finished run{of} under {campaign.runs} (data sets there: {there}); "
            "train one: robench train --defense pgn"
        )
    return wanted


def _store(runs: Path, matches: list[Match]) -> None:
    """Store the matches of one accuracy, a file for each protocol."""
    for protocol in sorted({found.protocol for found in matches}):
        rows = [found for found in matches if found.protocol == protocol]
        content = {"rows": [asdict(found) for found in rows]}
        write_json(contained(runs, archive.matches_path(runs, rows[0])), content)


def _attack_all(
    campaign: Campaign,
    runs: list[Run],
    matches: list[Match],
    attacks: list[NamedAttack],
    *,
    bar: bool,
) -> Iterator[tuple[Event, bool]]:
    """Attack the matches of one protocol, all on the same images and from the same source."""
    spec = runs[0].spec
    data = data_of(spec, campaign.data_dir, campaign.runs, campaign.device)
    attacked = panel.choose(data, campaign.images, campaign.image_seed)
    by_key = {run.key: run for run in runs}
    wanted, defense = like(spec, campaign.source, campaign.source_seed)
    for found in matches:
        check_independent(wanted, by_key[found.run].spec)
    sources = contained(campaign.runs, campaign.runs / SOURCES)
    source = yield from trained_source(sources, wanted, defense, data, bar=bar)
    for key, step in sorted({(found.run, found.step) for found in matches}):
        subject = opened(campaign.runs / key, by_key[key], step, data)
        fitting = [named for named in attacks if suits(named, subject.run.spec)]
        for named in fitting:
            for made_on in (None,) if named.adaptive else (None, source):
                given = (campaign.runs, subject, named, attacked, made_on)
                yield evaluate(
                    *given,
                    data=data,
                    keep=KEPT if campaign.keep is None else campaign.keep,
                    again=campaign.keep is not None,
                    precision=campaign.precision,
                    bar=bar,
                )
    if campaign.audit:
        yield from audits(campaign.runs, runs, {(found.run, found.step) for found in matches}, data)


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
