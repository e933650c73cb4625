"""Images in folders: decoded once, cached, and every way in which they may be wrong."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from robench.dataset import Images
from robench.datasets.folder import Folder
from robench.errors import UserError

Pixels = NDArray[np.uint8]
SIZE = (6, 10)
"""Height and width."""


def colour(number: int) -> Pixels:
    """Return an image that no other number gives, with all pixels different."""
    ramp = np.arange(180).reshape(*SIZE, 3) + 7 * number
    return (ramp % 256).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a data folder: two classes, three training images and one test image each."""
    for split, count in (("train", 3), ("test", 1)):
        for label, name in enumerate(("cat", "dog")):
            for number in range(count):
                path = tmp_path / "images" / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(colour(10 * label + number)).save(path)
    return tmp_path / "images"


def load(root: Path) -> Images:
    return Folder().load(root, root.parent / "cache")


def same(a: Images, b: Images) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("train_x", "train_y", "test_x", "test_y")
    )


def overwritten(path: Path, content: bytes, *, later: bool) -> None:
    """Replace a file's bytes by as many others; its time of change stays, or moves on."""
    state = path.stat()
    path.write_bytes((content + bytes(state.st_size))[: state.st_size])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1000 * later))


def cache_of(root: Path) -> Path:
    (kept,) = (root.parent / "cache").iterdir()
    return kept


def test_png_images_come_back_pixel_by_pixel(root: Path) -> None:
    images = load(root)
    assert images.classes == ("cat", "dog")
    assert images.train_y.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.test_y.tolist() == [0, 1]
    assert images.train_x.shape == (6, 3, *SIZE)
    numbers = (0, 1, 2, 10, 11, 12)
    expected = np.stack([colour(number).transpose(2, 0, 1) for number in numbers])
    assert np.array_equal(images.train_x, expected)
    assert np.array_equal(images.test_x[1], colour(10).transpose(2, 0, 1))


def test_jpeg_images_are_decoded(root: Path) -> None:
    path = root / "train" / "cat" / "1.png"
    path.unlink()
    plain = np.full((*SIZE, 3), (200, 40, 90), dtype=np.uint8)
    Image.fromarray(plain).save(path.with_suffix(".jpg"), quality=95)
    found = load(root).train_x[1].transpose(1, 2, 0).astype(int)
    assert abs(found - plain).max() <= 3


def test_grey_images_become_three_channels(root: Path) -> None:
    grey = colour(3)[..., 0]
    Image.fromarray(grey).save(root / "train" / "cat" / "1.png")
    assert np.array_equal(load(root).train_x[1], np.stack([grey] * 3))


def test_hidden_files_and_folders_are_passed_over(root: Path) -> None:
    (root / "train" / ".git").mkdir()
    (root / "train" / "cat" / ".DS_Store").write_text("no image")
    assert len(load(root).train_x) == 6


def test_a_second_load_decodes_nothing(root: Path) -> None:
    first = load(root)
    overwritten(root / "train" / "cat" / "1.png", b"no image", later=False)
    assert same(load(root), first)


def test_a_changed_file_is_decoded_again(root: Path) -> None:
    load(root)
    path = root / "train" / "cat" / "1.png"
    overwritten(path, b"no image", later=True)
    with pytest.raises(UserError, match=f"{path} cannot be read as an image"):
        load(root)
    Image.fromarray(colour(77)).save(path)
    assert np.array_equal(load(root).train_x[1], colour(77).transpose(2, 0, 1))


def test_a_moved_folder_keeps_its_cache(root: Path) -> None:
    first = load(root)
    overwritten(root / "train" / "cat" / "1.png", b"no image", later=False)
    assert same(load(root.rename(root.parent / "moved")), first)


def test_a_renamed_image_is_a_change(root: Path) -> None:
    load(root)
    path = root / "train" / "cat" / "0.png"
    path.rename(path.with_name("9.png"))
    found = load(root).train_x[:3]
    expected = np.stack([colour(number).transpose(2, 0, 1) for number in (1, 2, 0)])
    assert np.array_equal(found, expected)


def test_damage_anywhere_in_the_cache_is_no_harm(root: Path) -> None:
    first = load(root)
    kept = cache_of(root)
    whole = kept.read_bytes()
    spoilt = [b"", b"no archive", whole[: len(whole) // 2], whole[:-10]]
    directory = whole.rindex(b"PK\1\2")  # of the archive: flags at 8, compression at 10
    positions = (0, 40, 60, len(whole) // 2, directory + 8, directory + 10, len(whole) - 15)
    for position in positions:
        flipped = bytearray(whole)
        flipped[position] ^= 0x21
        spoilt.append(bytes(flipped))
    for content in spoilt:
        kept.write_bytes(content)
        assert same(load(root), first)


def test_a_damaged_cache_is_written_anew(root: Path) -> None:
    load(root)
    kept = cache_of(root)
    kept.write_bytes(b"no archive")
    first = load(root)
    assert kept.read_bytes() != b"no archive"
    overwritten(root / "train" / "cat" / "1.png", b"no image", later=False)
    assert same(load(root), first)


def test_a_cache_of_other_images_is_not_taken(root: Path) -> None:
    first = load(root)
    for x in (np.zeros((3, 3, *SIZE), np.uint8), np.zeros((8, 3, *SIZE))):
        np.savez(cache_of(root), x=x)
        assert same(load(root), first)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n then nothing"])
def test_an_unreadable_image_is_named(root: Path, content: bytes) -> None:
    path = root / "test" / "dog" / "broken.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{path} cannot be read as an image"):
        load(root)
    assert not (root.parent / "cache").exists()


def test_a_truncated_jpeg_is_named(root: Path) -> None:
    path = root / "train" / "cat" / "cut.jpg"
    Image.fromarray(colour(0)).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=f"{path} cannot be read"):
        load(root)


def test_an_image_of_another_size_is_named_with_both_sizes(root: Path) -> None:
    path = root / "train" / "dog" / "2.png"
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(path)
    with pytest.raises(UserError, match=f"{path} is 9 x 8 pixels, .*0.png is 10 x 6"):
        load(root)


def test_one_class_is_refused_by_name(root: Path) -> None:
    for split in ("train", "test"):
        for path in (root / split / "dog").iterdir():
            path.unlink()
        (root / split / "dog").rmdir()
    with pytest.raises(UserError, match=r"train holds 1 class \(cat\); two or more"):
        load(root)


def test_a_class_without_images_is_named(root: Path) -> None:
    (root / "test" / "dog" / "0.png").unlink()
    with pytest.raises(UserError, match=f"{root / 'test' / 'dog'} holds no image"):
        load(root)


def test_classes_of_one_split_alone_are_named(root: Path) -> None:
    (root / "test" / "dog").rename(root / "test" / "fox")
    with pytest.raises(UserError, match=r"differ in classes \(dog, fox\)"):
        load(root)


@pytest.mark.parametrize("missing", ["train", "test"])
def test_a_missing_split_is_named_with_the_layout(root: Path, missing: str) -> None:
    (root / missing).rename(root / "elsewhere")
    with pytest.raises(UserError, match=f"no folder {root / missing}; --data-dir must hold"):
        load(root)
    assert not Folder().found(root, root)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no folder {tmp_path / 'none' / 'train'}"):
        load(tmp_path / "none")


def test_no_folder_at_all_asks_for_one(root: Path) -> None:
    with pytest.raises(UserError, match="--dataset folder needs --data-dir"):
        Folder().load(None, root)
    assert not Folder().found(None, root)
    assert Folder().found(root, root)
