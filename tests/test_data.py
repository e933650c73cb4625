"""Splits, hashes and checks of what a data set returns."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from robench import data
from robench.data import Data, balanced, mixed
from robench.dataset import Dataset, Images
from robench.datasets.digits import Digits
from robench.errors import UserError

CPU = torch.device("cpu")
COUNTS = (200, 100, 50)
"""Training images of each class; every image is one colour, no two of one."""


def images(counts: tuple[int, ...] = COUNTS, shape: tuple[int, int, int] = (3, 4, 6)) -> Images:
    """Return images that tell their position: unshuffled, two channels count up."""
    n = sum(counts)
    x = np.zeros((n + 30, *shape), dtype=np.uint8)
    x[:, 0] = (np.arange(n + 30) % 256)[:, None, None]
    x[:, 1] = (np.arange(n + 30) // 256)[:, None, None]
    y = np.repeat(np.arange(len(counts)), counts)
    names = tuple("abc"[: len(counts)])
    return Images(x[:n], y, x[n:], np.arange(30) % len(counts), names)


@dataclass(frozen=True)
class Given(Dataset):
    """Hands out what it is told to."""

    pad: int = 1

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the images that the test put there."""
        return GIVEN[0]


GIVEN = [images()]


def loaded(given: Images, validation: int | None = None, pad: int = 1) -> Data:
    GIVEN[0] = given
    return data.load(Given(pad=pad), "given", None, Path("none"), CPU, validation)


def positions(split: data.Split) -> list[int]:
    """Return which images of `images()` a split holds."""
    return (split.x[:, 0, 0, 0].int() + 256 * split.x[:, 0, 0, 1].int()).tolist()


def test_splits_are_disjoint_and_lose_nothing() -> None:
    found = loaded(images())
    assert sorted(positions(found.train) + positions(found.validation)) == list(range(350))
    assert positions(found.test) == list(range(350, 380))
    assert found.held_out == len(found.validation) == 35


def test_labels_stay_with_their_images() -> None:
    found, given = loaded(images()), images()
    for split in (found.train, found.validation):
        assert split.y.tolist() == given.train_y[positions(split)].tolist()
    assert found.test.y.tolist() == given.test_y.tolist()


def test_images_keep_their_pixels_and_values() -> None:
    torch.manual_seed(0)
    given = replace(images(), test_x=torch.randint(0, 256, (30, 3, 4, 6)).numpy().astype(np.uint8))
    found = loaded(given)
    assert found.shape == (3, 4, 6)
    assert found.test.x.dtype == torch.uint8
    floats = found.test.floats(slice(None))
    assert floats.dtype == torch.float32
    assert np.array_equal(floats.numpy(), given.test_x.astype(np.float32) / np.float32(255))
    parts = list(found.test.batches(8))
    assert [len(y) for _, y in parts] == [8, 8, 8, 6]
    assert torch.equal(torch.cat([x for x, _ in parts]), floats)


@pytest.mark.parametrize(
    ("held_out", "expected"), [(35, [20, 10, 5]), (7, [4, 2, 1]), (70, [40, 20, 10])]
)
def test_validation_holds_every_class_by_its_share(held_out: int, expected: list[int]) -> None:
    found = loaded(images(), held_out)
    assert torch.bincount(found.validation.y).tolist() == expected


def test_an_uneven_share_is_off_by_less_than_one() -> None:
    found = loaded(images(), 23)
    counts = torch.bincount(found.validation.y, minlength=3)
    assert counts.sum() == 23
    for count, size in zip(counts.tolist(), COUNTS, strict=True):
        assert abs(count - 23 * size / 350) < 1


def test_equal_classes_are_held_out_equally() -> None:
    chosen = balanced(np.arange(1000) % 10, 100, seed=3)
    assert np.bincount(chosen % 10).tolist() == [10] * 10
    assert np.array_equal(chosen, np.unique(chosen))


def test_every_beginning_of_a_mixed_order_has_each_class_by_its_share() -> None:
    labels = np.repeat(np.arange(10), 100)  # listed by class
    order = mixed(labels, seed=0)
    assert np.array_equal(np.sort(order), np.arange(1000))
    for count in (10, 16, 64, 250):
        counts = np.bincount(labels[order[:count]], minlength=10)
        assert counts.max() - counts.min() <= 1
        assert np.array_equal(balanced(labels, count, 0), np.sort(order[:count]))


def test_choice_is_seeded_and_not_the_first_images() -> None:
    labels = np.arange(1000) % 10
    assert np.array_equal(balanced(labels, 100, 3), balanced(labels, 100, 3))
    assert not np.array_equal(balanced(labels, 100, 3), balanced(labels, 100, 4))
    assert balanced(labels, 100, 3).max() > 500


def test_split_is_the_same_whatever_the_global_seeds() -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        found.append(positions(loaded(images()).validation))
    assert found[0] == found[1]


def test_validation_0_trains_on_everything_and_chooses_on_the_test_images() -> None:
    found = loaded(images(), 0)
    assert positions(found.train) == list(range(350))
    assert found.validation is found.test
    assert found.held_out == 0


@pytest.mark.parametrize("validation", [-1, 350, 10_000])
def test_a_validation_that_leaves_nothing_is_refused(validation: int) -> None:
    with pytest.raises(UserError, match=f"--validation {validation} of 350.*0 to 349"):
        loaded(images(), validation)


def changed(name: str, position: tuple[int, ...]) -> Images:
    array = getattr(images(), name).copy()
    array[position] = 1 if array[position] != 1 else 2
    return replace(images(), **{name: array})


def test_hash_tells_any_pixel_and_any_label_apart() -> None:
    variants = [
        images(),
        changed("train_x", (0, 0, 0, 0)),
        changed("train_x", (349, 2, 3, 5)),
        changed("train_y", (17,)),
        changed("test_x", (29, 2, 3, 5)),
        changed("test_y", (29,)),
        images(shape=(3, 6, 4)),
    ]
    assert len({loaded(variant, 0).hash for variant in variants}) == len(variants)


def test_hash_is_of_the_images_alone() -> None:
    assert loaded(images(), 0).hash == loaded(images(), 50).hash == loaded(images(), pad=0).hash


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda i: replace(i, train_x=i.train_x.astype(np.float32)), "train images are float32"),
        (lambda i: replace(i, test_y=i.test_y.astype(np.int32)), "labels int32"),
        (lambda i: replace(i, train_y=i.train_y[:-1]), r"labels int64\(349,\)"),
        (lambda i: replace(i, classes=("a", "b")), r"labels outside 0\.\.1"),
        (lambda i: replace(i, test_y=i.test_y - 1), r"test labels outside 0\.\.2"),
        (lambda i: replace(i, test_x=i.test_x[:0], test_y=i.test_y[:0]), "test labels"),
        (lambda i: replace(i, test_x=i.test_x[:, :, :2]), "they must agree"),
        (lambda _: images((350,)), r"one class \(a\)"),
    ],
)
def test_what_is_no_data_set_is_refused(spoil: Callable[[Images], Images], named: str) -> None:
    with pytest.raises(UserError, match=f"data set given.*{named}"):
        loaded(spoil(images()))


@pytest.mark.parametrize("pad", [-1, 4])
def test_a_pad_outside_the_image_is_refused(pad: int) -> None:
    with pytest.raises(UserError, match=f"pad={pad} .*--set dataset.pad"):
        loaded(images(), pad=pad)


def test_digits_are_scikit_learn_s_scans(tmp_path: Path) -> None:
    found = Digits().load(None, tmp_path)
    assert (found.train_x.shape, found.test_x.shape) == ((1297, 1, 8, 8), (500, 1, 8, 8))
    assert found.classes == tuple("0123456789")
    assert np.unique(found.train_x).tolist() == [round(k * 255 / 16) for k in range(17)]
    assert np.bincount(found.test_y).min() >= 45
    assert Digits().found(None, tmp_path)
    assert not list(tmp_path.iterdir())
    split = data.load(Digits(), "digits", None, tmp_path, CPU)
    assert (len(split.train), len(split.validation), len(split.test)) == (1168, 129, 500)
    assert (split.flip, split.pad) == (False, 1)
