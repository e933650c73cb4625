"""What several test files ask for by name."""

import http.server
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import readers
import strangers
import submitting
import tiny
from bucketing import Buckets, serving_buckets
from readers import Reader
from robench import mirrors
from robench.data import Data
from robench.planning import data_of
from robench.runs import read_runs
from robench.submissions.packing import submit
from serving import serving


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many cases of hostile input were tried, where many were asked for."""
    hostile = sys.modules.get("hostile")
    if hostile is not None and hostile.TIMES > 1:
        for subject, count in sorted(hostile.counted.items()):
            terminalreporter.write_line(f"{count:>7,}  {subject}")
        terminalreporter.write_line(f"{sum(hostile.counted.values()):>7,}  cases in all")


@pytest.fixture(autouse=True)
def _no_options_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ROBENCH_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def tints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of tinted noise, 72 training and 36 test images; not to be changed."""
    return tiny.folder(tmp_path_factory.mktemp("tints"))


@pytest.fixture(scope="session")
def stranger(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an evaluated and audited classifier `planes`; not to be changed."""
    runs = tmp_path_factory.mktemp("own") / "runs"
    strangers.evaluated(tints, runs, strangers.tints(), name="planes", audit=True)
    return runs


@pytest.fixture
def stranger_copy(stranger: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return shutil.copytree(stranger, tmp_path / "runs")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[http.server.HTTPServer]:
    """Serve the folder `served`, for what downloads."""
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as found:
        yield found


@pytest.fixture(scope="session")
def reader() -> Reader:
    """Return a network that reads digits, and images it reads correctly; not to be changed."""
    return readers.trained()


@pytest.fixture(scope="session")
def stock(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two trained classifiers of different seeds; not to be changed."""
    runs = tmp_path_factory.mktemp("stock")
    for seed in (0, 1):
        tiny.trained("baseline", tints, runs, epochs=6, batch_size=8, seed=seed)
    return runs


@pytest.fixture
def runs(stock: Path, tmp_path: Path) -> Path:
    """Return a copy of the classifiers."""
    return shutil.copytree(stock, tmp_path / "runs")


@pytest.fixture(scope="module")
def data(stock: Path, tints: Path) -> Data:
    """Return the classifiers' data."""
    return data_of(read_runs(stock)[0].spec, tints, stock, "cpu")


@pytest.fixture(scope="session")
def submitted(stock: Path, tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with attacked `runs` and two submissions of them; not to be changed.

    `light.robench` is without weights, `heavy.robench` with.
    """
    place = tmp_path_factory.mktemp("submitted")
    runs = shutil.copytree(stock, place / "runs")
    submitting.attacked(runs, data_of(read_runs(stock)[0].spec, tints, stock, "cpu"))
    for name, weights in (("light", False), ("heavy", True)):
        submit(runs, [submitting.ROW], place / f"{name}.robench", weights=weights)
    return place


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[Buckets]:
    """Return a server of buckets."""
    with serving_buckets() as found:
        yield found


@pytest.fixture
def buckets(bucket_server: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Buckets:
    """Return the server as it is at first, known to robench; the first host's mirrors are empty."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "me")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket_server.address)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(mirrors, "_KEPT", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "first"))
    bucket_server.ignores_conditions, bucket_server.refuses = False, lambda method, path: False
    bucket_server.asked.clear()
    return bucket_server
