"""Two hosts, each a network namespace with a name of its own, are one Ray cluster on one folder.

They share the file system and nothing else of the network: what crosses from one to the other goes
through a virtual cable. Skipped without Ray, or where no namespaces can be made.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from robench.claim import leases
from robench.runs import read_runs
from test_cluster import command, grid

HOSTS = ("first", "second")
PORT = 6399
PATIENCE = 90.0
"""Seconds for a host to join."""


def address(place: int) -> str:
    """Return the address of a host, in a block kept for documentation (RFC 5737)."""
    return f"198.51.100.{place + 1}"


def space(place: int) -> str:
    """Return the name of a host's network namespace."""
    return f"robench-{os.getpid()}-{HOSTS[place]}"


def ip(*words: str) -> None:
    """Call `ip`, which must succeed."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


def on(place: int, words: list[str]) -> list[str]:
    """Return how a command is called on a host."""
    named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', HOSTS[place]]
    return ["ip", "netns", "exec", space(place), *named, *words]


@contextmanager
def cable() -> Iterator[None]:
    """Make both namespaces and what connects them; remove them at the end."""
    ends = [f"rb{os.getpid()}{side}" for side in "ab"]
    with ExitStack() as after:
        for place in range(2):
            ip("netns", "add", space(place))
            after.callback(ip, "netns", "del", space(place))
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for place, end in enumerate(ends):
            inside = ["-n", space(place)]
            ip("link", "set", end, "netns", space(place))
            ip(*inside, "addr", "add", f"{address(place)}/24", "dev", end)
            for device in (end, "lo"):
                ip(*inside, "link", "set", device, "up")
            # By its way out, Ray finds what the host's own address is.
            ip(*inside, "route", "add", "default", "via", address(1 - place))
        yield


def guarded() -> dict[str, str]:
    """Return the environment of what belongs to a cluster that asks for its token."""
    return {**os.environ, "RAY_AUTH_MODE": "token"}


@contextmanager
def node(place: int, *words: str) -> Iterator[None]:
    """Have Ray run on a host, with one core to give away."""
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus", "1"]
    asked = on(place, [*ray, "--node-ip-address", address(place), *words])
    started = subprocess.Popen(
        asked, env=guarded(), stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait()


def nodes() -> int:
    """Return how many hosts the cluster has; 0 while it does not answer."""
    asked = f"import ray; ray.init(address='{address(0)}:{PORT}', logging_level='ERROR'); "
    asked += "print(sum(one['Alive'] for one in ray.nodes()))"
    words = on(0, [sys.executable, "-c", asked])
    told = subprocess.run(words, env=guarded(), capture_output=True, text=True)
    return int(told.stdout) if told.returncode == 0 else 0


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run Ray on both hosts."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: robench[ray]")
    if not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("no `ip` and `unshare` (Debian: iproute2, util-linux)")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # The cluster asks for a token, and robench shows it without being told to.
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with ExitStack() as after:
        # Short, as it is part of the names of sockets; no `auto` will find this cluster.
        apart = after.enter_context(tempfile.TemporaryDirectory(prefix="rb", dir="/tmp"))
        monkeypatch.setenv("RAY_TMPDIR", apart)
        try:
            after.enter_context(cable())
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        after.enter_context(node(0, "--head", "--port", str(PORT), "--include-dashboard=false"))
        until = time.monotonic() + PATIENCE
        while nodes() < 1:
            assert time.monotonic() < until
        after.enter_context(node(1, "--address", f"{address(0)}:{PORT}"))
        while nodes() < 2:
            assert time.monotonic() < until
        yield


def test_two_hosts_share_a_sweep(cluster: None, tmp_path: Path) -> None:
    asked = [*grid(tmp_path, 10), "--executor", "ray", "--address", f"{address(0)}:{PORT}"]
    at_work = set[str]()
    with subprocess.Popen(on(0, command(asked)), stdout=subprocess.PIPE, text=True) as sweep:
        assert sweep.stdout is not None
        for _ in sweep.stdout:
            folders = [path.parent for path in tmp_path.glob("*/manifest.json")]
            holders = [one.holder for folder in folders for one in leases(folder)]
            at_work |= {one.host for one in holders if one}
    assert sweep.returncode == 0
    assert at_work == set(HOSTS)
    assert len(read_runs(tmp_path)) == 12
