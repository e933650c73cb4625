"""The executor that is a Ray cluster: each task is one of Ray's, on whatever host it places it.

Ray places and runs; robench begins again what died, as with any executor. What goes to a task and
comes from it is text. Ray's usage statistics are off.
"""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from robench.errors import UserError
from robench.executors.executor import DIED, ENDED, News, Task
from robench.executors.worker import safely, set_up, setup

HANDED_ON = ("OMP_NUM_THREADS", "PYTHONPATH", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
"""Of the environment of the command, what holds for its workers; no secret."""
PATIENCE = 5.0
"""Seconds for a cluster's port to answer."""


@dataclass(frozen=True)
class Needs:
    """What one task needs of a cluster."""

    gpus: float
    cores: float
    workers: int | None
    """How many at once at most; None: as many as the cluster has room for."""


class Cluster:
    """Tasks on a Ray cluster, as many at once as their needs leave room for."""

    def __init__(self, address: str, needs: Needs) -> None:
        """Join the cluster at `address`; empty: begin one on this machine, of as many cores.

        Raises UserError where Ray is not installed, or there is no such cluster.
        """
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read by `ray.init`, and by what it starts
        if address and _token_at_hand():
            # Where there is a token, `ray start --head` asks for it, but a driver shows it only if
            # told to before Ray is imported. A cluster that asks for none takes no offence.
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        try:
            import ray
        except ImportError:
            raise UserError(
                "--executor ray needs Ray, which is not installed: pip install 'robench[ray]'"
            ) from None
        self._ray = ray
        self._own = not ray.is_initialized()
        if self._own:
            _join(address, needs)
        if not ray.cluster_resources().get("GPU"):
            needs = replace(needs, gpus=0.0)  # waited for, they would never come
        self._most = needs.workers or _room(needs)
        self._remote = ray.remote(
            num_cpus=needs.cores, num_gpus=needs.gpus, max_retries=0, max_calls=0
        )(_do).options(num_returns="streaming")
        self._tasks: dict[Any, Task] = {}
        self._setup = json.dumps(setup())

    def room(self) -> bool:
        """Tell whether fewer tasks are with Ray than it can do at once."""
        return len(self._tasks) < self._most

    def begin(self, task: Task) -> None:
        """Hand a task to Ray."""
        self._tasks[self._remote.remote(self._setup, json.dumps(asdict(task)))] = task

    def news(self) -> News:
        """Wait for what a task says next."""
        while True:
            (said,), _ = self._ray.wait(list(self._tasks), num_returns=1)
            task = self._tasks[said]
            try:
                news = News(task, json.loads(self._ray.get(next(said))))
            except StopIteration:
                news = News(task, {DIED: "it ended without a word"})
            except self._ray.exceptions.RayError as error:
                news = News(task, {DIED: f"its worker was lost ({self._why(error)})"})
            if news.last:
                del self._tasks[said]
            return news

    def _why(self, error: Exception) -> str:
        """Return the line of an error of Ray's that says most: of a traceback the last."""
        last = isinstance(error, self._ray.exceptions.RayTaskError)
        return str(error).strip().splitlines()[-1 if last else 0]

    def close(self) -> None:
        """Have Ray end what is at work; the cluster stays, unless it was begun here."""
        for said in self._tasks:
            self._ray.cancel(said, force=True)
        self._tasks.clear()
        if self._own:
            self._ray.shutdown()


def _join(address: str, needs: Needs) -> None:
    import ray

    _check_answered(_current() if address == "auto" else address)
    # A cluster of this command alone has what is asked for, also on a machine of fewer cores.
    cores = (needs.workers or os.cpu_count() or 1) * needs.cores
    own = {} if address else {"num_cpus": max(1, int(cores)), "include_dashboard": False}
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={"env_vars": _environment()},
            **own,
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise _none_at(address, str(error).partition("\n")[0]) from None


def _token_at_hand() -> bool:
    """Tell whether Ray would find a token, in the places that it documents."""
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(named) or (Path.home() / ".ray" / "auth_token").is_file()


def _current() -> str:
    """Return the address that Ray takes for `auto`, as `ray.init` documents it; empty: none."""
    if named := os.environ.get("RAY_ADDRESS"):
        return named
    try:
        kept = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster")
        return kept.read_text().strip()
    except (OSError, ValueError):
        return ""


def _check_answered(address: str) -> None:
    """Raise UserError where nobody listens at HOST:PORT, for which Ray would wait many minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "/" in host:
        return  # what Ray looks up by itself
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise _none_at(address, str(error)) from None


def _none_at(address: str, why: str) -> UserError:
    return UserError(
        f"no Ray cluster at {address or 'this machine'} ({why}); "
        "start one (ray start --head), or leave --address out for one of this machine"
    )


def _environment() -> dict[str, str]:
    """Return what is set here and holds for every worker."""
    return {name: os.environ[name] for name in HANDED_ON if name in os.environ}


def _room(needs: Needs) -> int:
    """Return how many tasks the cluster can do at once, as it is now."""
    import ray

    there = ray.cluster_resources()
    if needs.gpus:
        return max(1, int(there.get("GPU", 0) / needs.gpus + 1e-9))
    return max(1, int(there.get("CPU", 1) / needs.cores + 1e-9))


def _do(said: str, asked: str) -> Iterator[str]:
    """Do a task in a worker of Ray's; yield what it says."""
    from robench.executors.work import Work

    set_up(json.loads(said))
    for message in safely(_WORK.setdefault("work", Work()), Task(**json.loads(asked))):
        yield json.dumps(message)
        if ENDED in message:
            return


_WORK: dict[str, Any] = {}
"""The work of this worker, which keeps its data from task to task."""
