"""A run file, read and checked: one grid of trainings, the evaluations of it, and whose results.

title       what the study is about, a line
published   whose published results stand beside ours; none without
train       a grid, as `robench sweep FILE` reads it (docs/sweeps.md)
evaluate    a list of evaluations, each the options of `robench eval`
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from robench import documents, grid
from robench.campaign import Campaign
from robench.errors import UserError
from robench.evaluation import check_independent
from robench.panel import check_count
from robench.planning import Plan, Request, like
from robench.plans import planned
from robench.published import NONE, datasets
from robench.records import LONGEST
from robench.spelling import suggestion
from robench.studies import evaluations

KEYS = ("title", "published", "train", "evaluate")


@dataclass(frozen=True)
class RunFile:
    """What a run file asks for, and where."""

    path: Path
    title: str
    published: str
    text: str
    """The whole file."""
    requests: tuple[Request, ...]
    campaigns: tuple[Campaign, ...]
    """Without the runs that they are of, which are known once all is trained."""
    runs: Path

    @property
    def name(self) -> str:
        """Return the study's name: the file's, without its ending."""
        return self.path.stem


def read(path: Path, runs: Path, data_dir: Path | None = None, device: str = "auto") -> RunFile:
    """Return what the run file at `path` asks for, under the runs folder `runs`.

    `data_dir` goes before what the file says. Raises UserError, naming the file and the place in
    it, for whatever is wrong that shows without the images.
    """
    try:
        _check_name(path)
        text = documents.text_of(path)
        content = documents.mapping(documents.parse(text), "a run file")
        for key in content:
            if key not in KEYS:
                known = f"There is: {', '.join(KEYS)}"
                raise UserError(f"no key {key!r}{suggestion(key, KEYS)} {known}")
        template = Request("", runs=runs, data_dir=data_dir, device=device)
        requests = _requests(content.get("train"), template)
        images = requests[0].data_dir
        campaign = Campaign((), runs=runs, data_dir=images, device=device)
        return RunFile(
            path=path,
            title=_title(content.get("title")),
            published=_published(content.get("published")),
            text=text,
            requests=tuple(requests),
            campaigns=evaluations.read(content.get("evaluate"), campaign),
            runs=runs,
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def plans_of(file: RunFile) -> list[Plan]:
    """Plan the trainings of a run file, and check what the images decide.

    Raises UserError, naming the file and the place in it, for a request that cannot be had, for
    runs of several protocols, for more images than there are, and for a black-box source that is
    one of the runs.
    """
    where = "train"
    try:
        plans = planned(file.requests)
        _check_protocol(plans)
        for place, campaign in enumerate(file.campaigns, start=1):
            where = f"evaluate, entry {place}"
            _check_campaign(campaign, plans)
    except UserError as error:
        raise UserError(f"{file.path}: {where}: {error}") from None
    return plans


def _check_campaign(campaign: Campaign, plans: Sequence[Plan]) -> None:
    check_count(plans[0].data, campaign.images)
    for one in plans if campaign.targets else ():
        source, _ = like(one.spec, campaign.source, campaign.source_seed)
        check_independent(source, one.spec)


def _check_protocol(plans: Sequence[Plan]) -> None:
    if len({one.spec.protocol for one in plans}) == 1:
        return
    rows = [asdict(one.spec) for one in plans]
    varied = {
        key: list(dict.fromkeys(str(row[key]) for row in rows))
        for key in rows[0]
        if key not in ("defense", "settings", "seed")
    }
    said = "; ".join(f"{key} {', '.join(v)}" for key, v in varied.items() if len(v) > 1)
    raise UserError(
        f"runs that are never compared ({said}); a run file is of one protocol: write another "
        "file for the rest"
    )


def _check_name(path: Path) -> None:
    """Refuse what cannot be the name of the study's record."""
    if not re.fullmatch(rf"\w[\w.-]{{0,{LONGEST - 1}}}", path.stem):
        raise UserError(
            f"a study is called as its file, by 1 to {LONGEST} letters, digits, -, _ and .; "
            "rename the file"
        )


def _requests(given: object, template: Request) -> list[Request]:
    if given is None:
        raise UserError("no trainings; write `train: {defenses: {...}}` (docs/sweeps.md)")
    try:
        return grid.read(given, template)
    except UserError as error:
        raise UserError(f"train: {error}") from None


def _title(given: Any) -> str:
    title = " ".join(given.split()) if isinstance(given, str) else ""
    if not title:
        raise UserError(f"title is {given!r}, not a line of text")
    return title


def _published(given: Any) -> str:
    there = (*datasets(), NONE)
    if given is None:
        return NONE
    if given not in there:
        raise UserError(f"published is {given!r}; there is: {', '.join(there)}")
    return str(given)
