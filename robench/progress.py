"""How far a run is, stored so that it can go on from its last epoch with the same bytes."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from safetensors import SafetensorError, safe_open

from robench import files, mirrors, runs, weights
from robench.conformance import from_json
from robench.errors import UserError
from robench.ladder import Ladder, Measured
from robench.learner import CLASSIFIER, Learner
from robench.processes import Processes
from robench.records import Checkpoint, Epoch, RunSpec
from robench.runs import RunFolder

APART = (
    "the processes do not see the same run: they need the same command, images and versions, and "
    "a folder --runs that they share"
)
UNREADABLE = (
    *(SafetensorError, UserError, OSError, LookupError, TypeError, ValueError, RecursionError),
)
"""What reading a state that is damaged, or none, may raise."""


@dataclass
class Progress:
    """The records of the epochs finished so far."""

    history: list[Epoch] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)


@dataclass(frozen=True)
class _Position:
    """Where the ladder stands."""

    stride: int
    kept: float
    seen: float

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise UserError(f"a stride of {self.stride} steps")


@dataclass(frozen=True)
class _State:
    """What a state says beside its tensors, as `text` too, and the hash of both.

    The hash is empty in a state that an older robench wrote.
    """

    run: str
    history: list[Epoch]
    checkpoints: list[Checkpoint]
    ladder: dict[str, Any]
    text: str
    sha256: str


def keeper(
    folder: RunFolder, spec: RunSpec, steps: int, progress: Progress, check: Callable[[], None]
) -> Callable[[Measured], None]:
    """Return what stores a rung; `steps` are those of an epoch. The last step is no rung.

    `check` is called before anything is written; it raises where the folder is another's by now.
    """

    def keep(measured: Measured) -> None:
        check()
        if measured.step == steps * spec.epochs:
            return  # final.safetensors holds it
        path = folder.rungs / f"step-{measured.step:07d}.safetensors"
        tensors = weights.flatten({CLASSIFIER: measured.network})
        sha256 = weights.save(path, tensors, {"run": spec.key})
        epoch = round(measured.step / steps, 3)
        name = path.relative_to(folder.path).as_posix()
        progress.checkpoints.append(
            Checkpoint(spec.key, measured.step, epoch, measured.accuracy, name, sha256, False)
        )

    return keep


def finished(folder: RunFolder, spec: RunSpec, processes: Processes) -> bool:
    """Tell whether the run is done.

    UserError for a folder that a newer robench wrote, or whose records are damaged.
    """
    if processes.first:
        mirrors.refresh(folder.path)
    if done := folder.done.exists():
        runs.check_vouched(folder)
    if folder.manifest.exists():
        runs.read_json(folder.manifest)
    processes.agree([spec.key, done], APART)
    if done and processes.first:
        files.remove(folder.state)  # left where the run was killed right after DONE
    return done


def store(
    folder: RunFolder, spec: RunSpec, learner: Learner, ladder: Ladder, progress: Progress
) -> None:
    """Write the state after an epoch, in one step, then the tables made from it.

    Of several processes the first does; so in all that writes here.
    """
    if not learner.processes.first:
        return
    text = json.dumps(
        {
            "run": spec.key,
            "history": [asdict(row) for row in progress.history],
            "checkpoints": [asdict(row) for row in progress.checkpoints],
            "ladder": {"stride": ladder.stride, "kept": ladder.kept, "seen": ladder.seen},
        }
    )
    tensors = learner.state()
    mark = {"robench": text, "sha256": weights.digest(tensors, text)}
    weights.save(folder.state, tensors, mark)
    write_tables(folder, progress)


def resume(
    folder: RunFolder, spec: RunSpec, learner: Learner, ladder: Ladder, progress: Progress
) -> None:
    """Take up the stored state, and forget what a later, unfinished epoch wrote."""
    if folder.state.exists():
        content = _stored(folder)
        if content.run != spec.key:
            raise UserError(f"{folder.state} is of the run {content.run}; delete it")
        tensors = weights.load(folder.state)
        if content.sha256 not in ("", weights.digest(tensors, content.text)):
            raise _damaged(folder, "its bytes are not those that were written")
        learner.restore(tensors, folder.state)
        progress.history += content.history
        progress.checkpoints += content.checkpoints
        for name, value in content.ladder.items():
            setattr(ladder, name, value)
    learner.processes.agree(len(progress.history), APART)  # all have read, and one may write
    if learner.processes.first:
        _forget_unfinished(folder, progress)


def _forget_unfinished(folder: RunFolder, progress: Progress) -> None:
    recorded = {row.file for row in progress.checkpoints}
    for path in folder.rungs.glob("*.safetensors"):
        if path.relative_to(folder.path).as_posix() not in recorded:
            files.remove(path)
    for path in folder.path.rglob(".*.partial"):
        path.unlink()  # of a write that was killed
    write_tables(folder, progress)


def finish(
    folder: RunFolder, spec: RunSpec, learner: Learner, steps: int, progress: Progress
) -> None:
    """Keep the averages of all networks as the final checkpoint and mark the run as done."""
    if learner.processes.first:
        _keep_final(folder, spec, learner, steps, progress)
    learner.processes.wait()  # from here on, all find it done


def _keep_final(
    folder: RunFolder, spec: RunSpec, learner: Learner, steps: int, progress: Progress
) -> None:
    tensors = weights.flatten(learner.averages)
    sha256 = weights.save(folder.final, tensors, {"run": spec.key})
    accuracy = progress.history[-1].accuracy
    final = Checkpoint(
        spec.key, steps * spec.epochs, spec.epochs, accuracy, folder.final.name, sha256, True
    )
    write_tables(folder, Progress(progress.history, [*progress.checkpoints, final]))
    runs.vouch(folder)
    files.remove(folder.state)


def write_tables(folder: RunFolder, progress: Progress) -> None:
    """Write the history and the list of checkpoints."""
    runs.write_rows(folder.history, Epoch, progress.history)
    runs.write_rows(folder.checkpoints, Checkpoint, progress.checkpoints)


def _stored(folder: RunFolder) -> _State:
    """Return what the state says beside its tensors; UserError where it is damaged."""
    try:
        files.check(folder.state, weights.MOST)  # safe_open would wait for a pipe
        with safe_open(folder.state, framework="pt") as file:
            metadata = file.metadata() or {}
        text, sha256 = metadata["robench"], metadata.get("sha256", "")
        content: dict[str, Any] = json.loads(text)
        return _State(
            run=content["run"],
            history=[from_json(Epoch, row) for row in content["history"]],
            checkpoints=[from_json(Checkpoint, row) for row in content["checkpoints"]],
            ladder=asdict(from_json(_Position, content["ladder"])),
            text=text,
            sha256=sha256,
        )
    except UNREADABLE as error:
        raise _damaged(folder, str(error)) from None


def _damaged(folder: RunFolder, reason: str) -> UserError:
    return UserError(
        f"{folder.state} is damaged ({reason}); delete it to train this run from the start"
    )
