"""Flip, reflect-pad and crop, against torch's own padding and every possible crop."""

from collections import Counter

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from robench.augment import augmented
from robench.data import Data, Split

HEIGHT, WIDTH, PAD = 6, 8, 2


def made(count: int, *, flip: bool = True, pad: int = PAD, channels: int = 3) -> Data:
    """Return random images, no two lines of which are alike."""
    torch.manual_seed(0)
    x = torch.randint(0, 256, (count, HEIGHT, WIDTH, channels), dtype=torch.uint8)
    split = Split(x, torch.zeros(count, dtype=torch.int64))
    return Data(split, split, split, ("a", "b"), "", 0, flip, pad)


def source(data: Data, number: int) -> Tensor:
    """Return one image as floats (channels, height, width)."""
    return data.train.x[number].permute(2, 0, 1).float() / 255


def variants(image: Tensor, pad: int) -> dict[tuple[bool, int, int], Tensor]:
    """Return every flip and crop of an image."""
    found = {}
    for flipped in (False, True):
        turned = image.flip(2) if flipped else image
        padded = F.pad(turned[None], (pad, pad, pad, pad), mode="reflect")[0]
        for row in range(2 * pad + 1):
            for column in range(2 * pad + 1):
                crop = padded[:, row : row + HEIGHT, column : column + WIDTH]
                found[flipped, row, column] = crop
    return found


def which(image: Tensor, choices: dict[tuple[bool, int, int], Tensor]) -> tuple[bool, int, int]:
    """Return the one flip and crop that made `image`."""
    (found,) = [key for key, choice in choices.items() if torch.equal(choice, image)]
    return found


def test_each_image_is_a_flip_and_crop_of_its_source() -> None:
    data, index = made(20), torch.tensor([3, 0, 19, 7, 3, 3])
    batch = augmented(data, index)
    assert batch.shape == (6, 3, HEIGHT, WIDTH)
    assert batch.dtype == torch.float32
    for image, number in zip(batch, index.tolist(), strict=True):
        which(image, variants(source(data, number), PAD))


def test_every_flip_and_crop_is_as_likely_and_drawn_per_image() -> None:
    data, draws = made(1), 5000
    choices = variants(source(data, 0), PAD)
    seen = Counter(
        which(image, choices) for image in augmented(data, torch.zeros(draws, dtype=torch.int64))
    )
    assert len(choices) == 50
    expected = draws / 50
    statistic = sum((seen[key] - expected) ** 2 / expected for key in choices)
    assert statistic < 85.4  # chi-squared with 49 degrees of freedom, 0.1 %


def test_neither_flip_nor_pad_is_the_image_itself() -> None:
    data = made(256, flip=False, pad=0)
    batch = augmented(data, torch.arange(256))
    assert torch.equal(batch, data.train.x.permute(0, 3, 1, 2).float() / 255)


def test_all_256_values_become_their_fraction() -> None:
    x = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1)
    split = Split(x, torch.zeros(1, dtype=torch.int64))
    data = Data(split, split, split, ("a", "b"), "", 0, False, 0)
    expected = torch.tensor([value / 255 for value in range(256)])
    assert torch.equal(augmented(data, torch.tensor([0])).flatten(), expected)


def test_without_flip_nothing_is_mirrored() -> None:
    data = made(1, flip=False)
    choices = variants(source(data, 0), PAD)
    batch = augmented(data, torch.zeros(200, dtype=torch.int64))
    assert not any(which(image, choices)[0] for image in batch)


def test_without_pad_nothing_is_shifted() -> None:
    data = made(1, pad=0)
    choices = variants(source(data, 0), 0)
    batch = augmented(data, torch.zeros(50, dtype=torch.int64))
    assert {which(image, choices)[0] for image in batch} == {False, True}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_decides(seed: int) -> None:
    data, index = made(20), torch.arange(20)
    torch.manual_seed(seed)
    first = augmented(data, index)
    torch.manual_seed(seed)
    assert torch.equal(first, augmented(data, index))
    assert not torch.equal(first, augmented(data, index))


def test_the_widest_pad_reaches_the_far_edge() -> None:
    data = made(1, pad=HEIGHT - 1)
    choices = variants(source(data, 0), HEIGHT - 1)
    for image in augmented(data, torch.zeros(100, dtype=torch.int64)):
        assert any(torch.equal(choice, image) for choice in choices.values())
