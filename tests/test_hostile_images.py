"""Image folders as a stranger might hand them in."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bounds import little_memory
from hostile import WORDS, cases, ends, spoilt
from robench.datasets.folder import Folder
from robench.errors import UserError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "ICO", "TGA", "PCX", "EPS")
"""The last four are not read."""


def image(form: str = "PNG", size: int = 8) -> bytes:
    """Return a small image."""
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), (1, 2, 3)).save(buffer, format=form)
    return buffer.getvalue()


def png(width: int, height: int) -> bytes:
    """Return a PNG that claims a size, of hardly any bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = zlib.compress(bytes(10**6))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


IMAGES = {form: image(form) for form in FORMATS}


def laid_out(root: Path, spoilt: bytes, name: str = "x.png", kind: str = "cat") -> Path:
    """Write two classes, one image each but for one more of `spoilt` bytes."""
    for split in ("train", "test"):
        for label in (kind, "dog"):
            folder = root / split / label
            folder.mkdir(parents=True)
            (folder / "0.png").write_bytes(IMAGES["PNG"])
    (root / "train" / "dog" / name).write_bytes(spoilt)
    return root


@cases(100)
@given(data=st.data())
def test_images_of_other_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("images")
    content = IMAGES[data.draw(st.sampled_from(FORMATS))]
    laid_out(root, data.draw(spoilt(content) | st.just(content)))
    with little_memory():
        ends("images", lambda: Folder().load(root, root / "cache"))


NAMES = [
    word
    for word in WORDS
    if word and "/" not in word and "\0" not in word and word not in (".", "..")
]
FILE_NAMES = [os.fsencode(name) for name in NAMES if name != "\ud800" and len(name) < 250]


@cases(40)
@given(kind=st.sampled_from(FILE_NAMES), name=st.sampled_from([*FILE_NAMES, b"\xff.png"]))
def test_names_of_classes_and_images(
    tmp_path_factory: pytest.TempPathFactory, kind: bytes, name: bytes
) -> None:
    root = tmp_path_factory.mktemp("images")
    laid_out(root, IMAGES["PNG"], os.fsdecode(name), os.fsdecode(kind))
    read = ends("images", lambda: Folder().load(root, root / "cache"))
    if read is not None:
        for one in read.classes:
            assert one.isprintable()
            one.encode()


@pytest.mark.parametrize(
    ("width", "height"), [(2**31 - 1, 2**31 - 1), (10**5, 10**5), (12_000, 12_000)]
)
@pytest.mark.parametrize("place", ["first", "last"])
def test_dimensions_of_a_bomb(width: int, height: int, place: str, tmp_path: Path) -> None:
    name = {"first": "0.png", "last": "x.png"}[place]
    root = laid_out(tmp_path, png(width, height), name)
    if place == "first":
        (root / "train" / "cat" / "0.png").write_bytes(png(width, height))
    with little_memory(), pytest.raises(UserError, match=rf"{name} (claims|is|cannot be read)"):
        Folder().load(root, root / "cache")
    assert not (root / "cache").exists()


def test_a_program_in_place_of_an_image_is_not_run(tmp_path: Path) -> None:
    root = laid_out(tmp_path, IMAGES["EPS"], "x.png")
    with pytest.raises(UserError, match=r"x\.png cannot be read as an image"):
        Folder().load(root, root / "cache")


@pytest.mark.parametrize("link", ["nowhere", ".", "loop", "/dev/zero", "pipe"])
def test_links_and_what_is_no_file(link: str, tmp_path: Path) -> None:
    root = laid_out(tmp_path, IMAGES["PNG"])
    place = root / "train" / "dog" / "loop"
    if link == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(link)
    assert len(Folder().load(root, root / "cache").train_x) == 3


def test_a_damaged_cache_is_no_harm(tmp_path: Path) -> None:
    root = laid_out(tmp_path, IMAGES["PNG"])
    Folder().load(root, root / "cache")
    (kept,) = (root / "cache").iterdir()
    for array in (np.zeros((5,), np.uint8), np.zeros((5, 3, 8, 8), np.float32), np.array([None])):
        np.savez(kept, x=array)
        assert Folder().load(root, root / "cache").train_x.shape == (3, 3, 8, 8)


@cases(40)
@given(data=st.data())
def test_caches_of_other_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = laid_out(tmp_path_factory.mktemp("images"), IMAGES["PNG"])
    Folder().load(root, root / "cache")
    (kept,) = (root / "cache").iterdir()
    kept.write_bytes(data.draw(spoilt(kept.read_bytes())))
    read = ends("caches", lambda: Folder().load(root, root / "cache"))
    assert read is not None
    assert read.train_x.shape == (3, 3, 8, 8)
