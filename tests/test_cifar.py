"""CIFAR-10 and CIFAR-100 through torchvision, from a stand-in served on this machine."""

import hashlib
import http.server
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest
from numpy.typing import NDArray

from robench.dataset import Dataset
from robench.datasets.cifar import CIFAR10, CIFAR100
from robench.errors import UserError

Rows = NDArray[np.uint8]
SIZES = {"CIFAR10": ((6, 4), 5), "CIFAR100": ((9,), 7)}
"""Images in each training batch, and in the test batch."""
KINDS: list[type[Dataset]] = [CIFAR10, CIFAR100]
each = pytest.mark.parametrize("kind", KINDS)


def rows(count: int, seed: int) -> tuple[Rows, list[int]]:
    """Return images as CIFAR stores them, a row each, and labels."""
    noise = np.random.default_rng(seed)
    x = noise.integers(0, 256, (count, 3072), dtype=np.uint8)
    return x, noise.integers(0, 10, count).tolist()


def pickled(content: object) -> bytes:
    """Return a pickle as the NumPy of 2009 wrote it: 0 and 1 where there are bools today."""
    return pickle.dumps(content, protocol=2).replace(b"\x89\x88\x87", b"K\x00K\x01\x87")


def archive(kind: Any, train: tuple[int, ...], test: int) -> dict[str, bytes]:
    """Return the files of a small data set by name."""
    labels = "labels" if kind.__name__ == "CIFAR10" else "fine_labels"
    names = [*(name for name, _ in kind.train_list[: len(train)]), kind.test_list[0][0]]
    files = {}
    for seed, (name, count) in enumerate(zip(names, (*train, test), strict=True)):
        x, y = rows(count, seed)
        files[name] = pickled({"data": x, labels: y})
    words = [f"word {number}" for number in range(10)]
    files[kind.meta["filename"]] = pickled({kind.meta["key"]: words})
    return files


def serve(
    kind: Any, server: http.server.HTTPServer, folder: Path, patch: pytest.MonkeyPatch
) -> None:
    """Put an archive where `server` serves it and point torchvision's class there."""
    train, test = SIZES[kind.__name__]
    files = archive(kind, train, test)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{kind.base_folder}/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    (folder / kind.filename).write_bytes(packed.getvalue())
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    patch.setattr(kind, "url", f"http://127.0.0.1:{server.server_port}/{kind.filename}")
    patch.setattr(kind, "tgz_md5", hashlib.md5(packed.getvalue()).hexdigest())
    patch.setattr(kind, "train_list", [[n, sums[n]] for n, _ in kind.train_list[: len(train)]])
    patch.setattr(kind, "test_list", [[n, sums[n]] for n, _ in kind.test_list])
    patch.setattr(kind, "meta", {**kind.meta, "md5": sums[kind.meta["filename"]]})


@pytest.fixture
def served(
    kind: type[Dataset],
    server: http.server.HTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Have the data set served; return the one file that there is to fetch."""
    from torchvision import datasets

    found = getattr(datasets, kind.__name__)
    serve(found, server, tmp_path / "served", monkeypatch)
    return tmp_path / "served" / found.filename


@each
def test_it_is_fetched_once_and_then_read(
    kind: type[Dataset], served: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    assert not kind().found(None, cache)
    images = kind().load(None, cache)
    train, test = SIZES[kind.__name__]
    parts = [rows(count, seed) for seed, count in enumerate((*train, test))]
    x = np.concatenate([part for part, _ in parts]).reshape(-1, 3, 32, 32)
    y = np.concatenate([part for _, part in parts])
    assert np.array_equal(np.concatenate([images.train_x, images.test_x]), x)
    assert np.array_equal(np.concatenate([images.train_y, images.test_y]), y)
    assert images.train_x.dtype == np.uint8
    assert images.train_y.dtype == np.int64
    assert len(images.test_x) == test
    assert images.classes == tuple(f"word {number}" for number in range(10))

    served.unlink()
    assert kind().found(None, cache)
    again = kind().load(None, cache)
    assert np.array_equal(again.train_x, images.train_x)
    assert capsys.readouterr().out == ""


@each
def test_data_dir_is_read_where_it_lies(kind: type[Dataset], served: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    with tarfile.open(served) as tar:
        tar.extractall(mine, filter="data")
    served.unlink()
    assert kind().found(mine, tmp_path / "cache")
    assert len(kind().load(mine, tmp_path / "cache").train_x) == sum(SIZES[kind.__name__][0])
    assert not (tmp_path / "cache").exists()


@each
def test_a_damaged_copy_is_fetched_again(kind: type[Dataset], served: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = kind().load(None, cache)
    for path in cache.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1])
    assert np.array_equal(kind().load(None, cache).train_x, first.train_x)


@each
def test_a_download_that_fails_says_what_helps(
    kind: type[Dataset], served: Path, tmp_path: Path
) -> None:
    served.unlink()
    name, cache = kind.__name__, tmp_path / "cache"
    with pytest.raises(UserError, match=f"{name} is not in {cache}.*404") as caught:
        kind().load(None, cache)
    assert isinstance(caught.value.__context__, HTTPError)
    caught.value.__context__.close()
    assert served.name in str(caught.value)
    assert "--data-dir" in str(caught.value)
    assert "--dataset digits needs no download" in str(caught.value)


@each
def test_an_archive_of_other_content_is_never_opened(
    kind: type[Dataset], served: Path, tmp_path: Path
) -> None:
    served.write_bytes(served.read_bytes() + b"\0")
    with pytest.raises(UserError, match=f"{kind.__name__} is not in"):
        kind().load(None, tmp_path / "cache")
    assert not kind().found(None, tmp_path / "cache")
