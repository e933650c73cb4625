"""What tasks do. Whoever executes them, in whatever process, does them by this."""

from collections.abc import Generator, Mapping
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from robench import mirrors, panel
from robench.archive import SOURCES
from robench.campaign import Campaign, attacked, attacks_of, audits, source_of
from robench.claim import Busy
from robench.containment import contained
from robench.data import Data
from robench.errors import UserError
from robench.evaluation import Subject
from robench.executors.executor import ENDED, Task
from robench.executors.local import Saying
from robench.executors.log import LOGS, note
from robench.holder import myself
from robench.known import Known
from robench.planning import Plan, Request, data_of, like, plan
from robench.plans import data_asked_for
from robench.records import Epoch, Evaluation, Run, digest
from robench.runs import read_run

PATHS = ("runs", "data_dir")
"""The fields of what is asked for that are paths."""
Asked = TypeVar("Asked", Request, Campaign)


def training(wanted: Plan) -> Task:
    """Return the task of training a run, or going on with it.

    It says `{"epoch": ...}` after each stored epoch, and ends as `done`, `busy` or `failed`,
    the latter two with a `reason`.
    """
    root = wanted.root.absolute()
    log = contained(root, root / LOGS / f"{wanted.spec.key}.log")
    asked = {"run": wanted.spec.key, "request": as_json(wanted.request), "log": mirrors.named(log)}
    return Task(str(root / wanted.spec.key), "train", asked)


def sourcing(campaign: Campaign, run: Run) -> Task:
    """Return the task of training what black-box images for `run` are made on."""
    wanted, _ = like(run.spec, campaign.source, campaign.source_seed)
    name = f"{SOURCES}/{wanted.key}"
    return Task(name, "source", {**_of(campaign, run), "log": _log(campaign, wanted.key)})


def attacking(campaign: Campaign, run: Run, step: int, attack: str, *, black: bool) -> Task:
    """Return the task of one attack, by its label, on a checkpoint.

    `black`: also from the source. It says `{"evaluated": key}` of each new record.
    """
    side = "black-box" if black else "white-box"
    asked = {**_of(campaign, run), "step": step, "attack": attack, "black": black}
    name = f"{attack} {side} of {run.key} step {step} {digest(asked, 6)}"
    return Task(name, "attack", {**asked, "log": _log(campaign, run.key)})


def auditing(campaign: Campaign, run: Run, step: int) -> Task:
    """Return the task of auditing a checkpoint, once all that attacks it has ended.

    It says `{"audited": key}` of a new record.
    """
    asked = {**_of(campaign, run), "step": step}
    name = f"audit of {run.key} step {step} {digest(asked, 6)}"
    return Task(name, "audit", {**asked, "log": _log(campaign, run.key)})


def _of(campaign: Campaign, run: Run) -> dict[str, Any]:
    return {"campaign": as_json(replace(campaign, only=None)), "run": run.key}


def _log(campaign: Campaign, key: str) -> str:
    root = campaign.runs.absolute()
    return mirrors.named(contained(root, root / LOGS / f"{key}.log"))


def as_json(asked: Request | Campaign) -> dict[str, Any]:
    """Return what is asked for as JSON; its folders by their whole paths, or URLs."""
    paths = {name: getattr(asked, name) for name in PATHS if getattr(asked, name) is not None}
    return {
        **{one.name: getattr(asked, one.name) for one in fields(asked)},
        "settings": dict(asked.settings),
        **{name: mirrors.named(path.absolute()) for name, path in paths.items()},
    }


def from_json(kind: type[Asked], content: Mapping[str, Any]) -> Asked:
    """Return what `as_json` wrote."""
    paths = {name: mirrors.local(content[name]) for name in PATHS if content[name] is not None}
    return kind(**{**content, **paths})


def ended(state: str, reason: str = "") -> dict[str, str]:
    """Return the last message of a task."""
    return {ENDED: state, "reason": reason}


class Work:
    """Does tasks, one after the other; keeps the data that several of them need."""

    def __init__(self, plans: Mapping[str, Plan] | None = None, *, bar: bool = False) -> None:
        """`plans`: those of trainings, by the names of their tasks, that need not be made again."""
        self._plans = plans or {}
        self._loaded: dict[str, Data] = {}
        self._known = Known()
        self._bar = bar

    def done(self, task: Task) -> Saying:
        """Do a task; what cannot be had or fails is said, and ends it."""
        log = mirrors.local(task.asked["log"])
        begun = False
        try:
            for message in _KINDS[task.kind](self, task):
                if not begun:
                    note(log, f"{task.kind} by {myself(0.0)}")
                    begun = True
                note(log, _line(message))
                yield message
            final = ended("done")
        except Busy as error:
            yield ended("busy", str(error))  # the log is the other's
            return
        except UserError as error:
            final = ended("failed", str(error))
        note(log, _line(final))
        yield final

    def _train(self, task: Task) -> Saying:
        wanted = self._plans.get(task.name) or self._planned(task)
        for row in wanted.train(bar=self._bar):
            yield {"epoch": asdict(row)}

    def _planned(self, task: Task) -> Plan:
        """Plan a training here; UserError where this is not the run that was asked for."""
        request = from_json(Request, task.asked["request"])
        name = data_asked_for(request)
        wanted = plan(request, self._loaded.get(name), self._known)
        self._loaded[name] = wanted.data
        if wanted.spec.key != task.asked["run"]:
            raise UserError(
                f"what was planned as {task.asked['run']} is {wanted.spec.key} to this worker: its "
                "images, plugins or versions are others, or a plugin's file was changed meanwhile"
            )
        return wanted

    def _source(self, task: Task) -> Saying:
        yield from self._source_of(*self._evaluated(task))

    def _source_of(
        self, campaign: Campaign, run: Run, data: Data
    ) -> Generator[dict[str, Any], None, Subject]:
        """Return the network that black-box images are made on, trained if it is missing."""
        training = source_of(campaign, [run.spec], data, bar=self._bar)
        while True:
            try:
                row, _ = next(training)
            except StopIteration as end:
                source: Subject = end.value
                return source
            yield {"epoch": asdict(row)}

    def _attack(self, task: Task) -> Saying:
        campaign, run, data = self._evaluated(task)
        source = None
        if task.asked["black"]:
            source = yield from self._source_of(campaign, run, data)
        named = [one for one in attacks_of(campaign) if one.label == task.asked["attack"]]
        shown = panel.choose(data, campaign.images, campaign.image_seed)
        checkpoints = [(run.key, task.asked["step"])]
        given = (campaign, {run.key: run}, named, shown, data, checkpoints, source)
        for event, new in attacked(*given, bar=self._bar):
            if new and isinstance(event, Evaluation):
                yield {"evaluated": event.key}

    def _audit(self, task: Task) -> Saying:
        campaign, run, data = self._evaluated(task)
        mirrors.refresh(campaign.runs)  # an audit is of what others have evaluated, too
        for audit, new in audits(campaign.runs, [run], [(run.key, task.asked["step"])], data):
            if new:
                yield {"audited": audit.key}

    def _evaluated(self, task: Task) -> tuple[Campaign, Run, Data]:
        """Return what a task evaluates: by which campaign, the run, its data."""
        campaign = from_json(Campaign, task.asked["campaign"])
        mirrors.refresh(campaign.runs / task.asked["run"])
        run = read_run(campaign.runs / task.asked["run"])
        name = repr([run.spec.data, run.spec.validation, sorted(run.spec.dataset_settings.items())])
        if name not in self._loaded:
            where = (campaign.data_dir, campaign.runs, campaign.device)
            self._loaded[name] = data_of(run.spec, *where)
        return campaign, run, self._loaded[name]


_KINDS = {
    "train": Work._train,
    "source": Work._source,
    "attack": Work._attack,
    "audit": Work._audit,
}


def _line(message: Mapping[str, Any]) -> str:
    """Return a message as its log has it."""
    for word in ("evaluated", "audited"):
        if word in message:
            return f"{word}: {message[word]}"
    if "epoch" in message:
        row = Epoch(**message["epoch"])
        return (
            f"epoch {row.epoch}  loss {row.loss:.4f}  accuracy {row.accuracy:.4f}  "
            f"{row.seconds:.1f} s"
        )
    reason = message.get("reason")
    return f"{message.get(ENDED, message)}{f': {reason}' if reason else ''}"
