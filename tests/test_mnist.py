"""MNIST, Fashion-MNIST and SVHN through torchvision, from stand-ins served on this machine."""

import gzip
import hashlib
import http.server
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tiny
from robench.dataset import Dataset
from robench.datasets.mnist import MNIST, FashionMNIST
from robench.datasets.svhn import SVHN
from robench.errors import UserError
from robench.planning import Request, plan

Bytes = NDArray[np.uint8]
SIZES = (11, 7)
"""Training and test images."""
GREY: list[type[Dataset]] = [MNIST, FashionMNIST]
KINDS: list[type[Dataset]] = [*GREY, SVHN]
each = pytest.mark.parametrize("kind", KINDS)
grey = pytest.mark.parametrize("kind", GREY)


def drawn(seed: int, *shape: int) -> tuple[Bytes, Bytes]:
    """Return images of `shape`, (n, ...), and labels, every one of which occurs in ten."""
    noise = np.random.default_rng(seed)
    x = noise.integers(0, 256, shape, dtype=np.uint8)
    return x, (np.arange(shape[0]) % 10).astype(np.uint8)


def idx(array: Bytes) -> bytes:
    """Return an array of bytes in the format of LeCun's page."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def grey_files() -> list[bytes]:
    """Return the four archives: images and labels, training and test."""
    parts = [drawn(seed, count, 28, 28) for seed, count in enumerate(SIZES)]
    return [gzip.compress(idx(array)) for part in parts for array in part]


def serve_grey(found: Any, address: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
    names = [name for name, _ in found.resources]
    for name, content in zip(names, grey_files(), strict=True):
        (folder / name).write_bytes(content)
    patch.setattr(found, "mirrors", [address])
    sums = [hashlib.md5((folder / name).read_bytes()).hexdigest() for name in names]
    patch.setattr(found, "resources", list(zip(names, sums, strict=True)))


def serve_svhn(found: Any, address: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
    from scipy.io import savemat

    splits = dict(found.split_list)
    for seed, (split, count) in enumerate(zip(("train", "test"), SIZES, strict=True)):
        x, y = drawn(seed, count, 3, 32, 32)
        content = io.BytesIO()
        labels = np.where(y == 0, 10, y)[:, None]  # as published: 10 stands for the digit 0
        savemat(content, {"X": x.transpose(2, 3, 1, 0), "y": labels})
        name = splits[split][1]
        (folder / name).write_bytes(content.getvalue())
        splits[split] = [address + name, name, hashlib.md5(content.getvalue()).hexdigest()]
    patch.setattr(found, "split_list", splits)


@pytest.fixture
def served(
    kind: type[Dataset],
    server: http.server.HTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Have the data set served; return the folder of the files that there are to fetch."""
    from torchvision import datasets

    serve: Callable[..., None] = serve_svhn if kind is SVHN else serve_grey
    address, folder = f"http://127.0.0.1:{server.server_port}/", tmp_path / "served"
    serve(getattr(datasets, kind.__name__), address, folder, monkeypatch)
    return folder


def expected(kind: type[Dataset], seed: int) -> tuple[Bytes, Bytes]:
    """Return the images and labels of a part as the data set is to return them."""
    if kind is SVHN:
        return drawn(seed, SIZES[seed], 3, 32, 32)
    x, y = drawn(seed, SIZES[seed], 28, 28)
    framed = np.zeros((len(x), 1, 32, 32), np.uint8)
    framed[:, 0, 2:30, 2:30] = x
    return framed, y


@each
def test_it_is_fetched_once_and_then_read(
    kind: type[Dataset], served: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    assert not kind().found(None, cache)
    images = kind().load(None, cache)
    for seed, x, y in (
        (0, images.train_x, images.train_y),
        (1, images.test_x, images.test_y),
    ):
        own_x, own_y = expected(kind, seed)
        assert np.array_equal(x, own_x)
        assert np.array_equal(y, own_y)
        assert x.dtype == np.uint8
        assert y.dtype == np.int64
    assert len(images.classes) == 10
    for path in served.iterdir():
        path.unlink()
    assert kind().found(None, cache)
    assert np.array_equal(kind().load(None, cache).train_x, images.train_x)
    assert capsys.readouterr().out == ""


@each
def test_data_dir_is_read_where_it_lies(kind: type[Dataset], served: Path, tmp_path: Path) -> None:
    kind().load(tmp_path / "mine", tmp_path / "cache")
    for path in served.iterdir():
        path.unlink()
    assert kind().found(tmp_path / "mine", tmp_path / "cache")
    assert len(kind().load(tmp_path / "mine", tmp_path / "cache").test_x) == SIZES[1]
    assert not (tmp_path / "cache").exists()


@each
def test_a_download_that_fails_says_what_helps(
    kind: type[Dataset], served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    found, nobody = getattr(datasets, kind.__name__), "http://127.0.0.1:1/"  # no one listens
    if kind is SVHN:
        parts = {split: [nobody + row[1], *row[1:]] for split, row in found.split_list.items()}
        monkeypatch.setattr(found, "split_list", parts)
    else:
        monkeypatch.setattr(found, "mirrors", [nobody])
    named = f"{kind.__name__} is not in {tmp_path}/cache.*refused.*127.0.0.1:1/.*--data-dir"
    with pytest.raises(UserError, match=f"{named}.*--dataset digits needs no") as caught:
        kind().load(None, tmp_path / "cache")
    assert "\n" not in str(caught.value)


@each
def test_a_download_of_other_content_is_never_read(
    kind: type[Dataset], served: Path, tmp_path: Path
) -> None:
    for path in served.iterdir():
        path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(UserError, match=f"{kind.__name__} is not in"):
        kind().load(None, tmp_path / "cache")


def test_a_damaged_copy_of_svhn_is_fetched_again(
    tmp_path: Path, server: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    address = f"http://127.0.0.1:{server.server_port}/"
    serve_svhn(datasets.SVHN, address, tmp_path / "served", monkeypatch)
    first = SVHN().load(None, tmp_path / "cache")
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    assert np.array_equal(SVHN().load(None, tmp_path / "cache").train_x, first.train_x)


@grey
@pytest.mark.parametrize("damage", ["cut", "other", "empty"])
def test_a_damaged_copy_is_told(
    kind: type[Dataset], damage: str, served: Path, tmp_path: Path
) -> None:
    kind().load(None, tmp_path / "cache")
    file = tmp_path / "cache" / kind.__name__ / "raw" / "train-images-idx3-ubyte"
    content = {"cut": file.read_bytes()[:-1], "other": b"\1\2\3\4 nothing", "empty": b""}
    file.write_bytes(content[damage])
    with pytest.raises(UserError, match=f"{kind.__name__}/raw is damaged .*delete that folder"):
        kind().load(None, tmp_path / "cache")


@grey
def test_what_an_old_torchvision_pickled_is_not_read(
    kind: type[Dataset], served: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / kind.__name__ / "processed"
    folder.mkdir(parents=True)
    for name in ("training.pt", "test.pt"):
        (folder / name).write_bytes(b"no pickle that anything could read")
    assert len(kind().load(None, tmp_path / "cache").train_x) == SIZES[0]


def test_digits_are_not_mirrored_and_clothes_are() -> None:
    assert [kind().flip for kind in KINDS] == [False, True, False]


@grey
def test_the_border_is_a_setting(kind: Any, served: Path, tmp_path: Path) -> None:
    images = kind(border=0).load(None, tmp_path / "cache")
    assert np.array_equal(images.train_x[:, 0], drawn(0, SIZES[0], 28, 28)[0])
    for border in (-1, 65):
        with pytest.raises(UserError, match=f"border of {border} pixels is not in 0..64"):
            kind(border=border)


@each
def test_the_default_network_trains_on_it(
    kind: type[Dataset], served: Path, tmp_path: Path
) -> None:
    name = {"MNIST": "mnist", "FashionMNIST": "fashion-mnist", "SVHN": "svhn"}[kind.__name__]
    asked: dict[str, Any] = {**tiny.SMALL, "dataset": name, "runs": tmp_path, "validation": 0}
    (row,) = tiny.epochs(plan(Request("fgm", {"model.width": 0.05}, **asked)))
    assert row.loss > 0
