"""Grids of images: the pixels as they are, and the classes they are given."""

import base64
import io
from collections.abc import Iterator
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.patches import Rectangle

from robench.contents import Gallery, Picture, PictureRow
from robench.drawing import draw, render
from robench.drawing.style import theme


@pytest.fixture(autouse=True)
def themed() -> Iterator[None]:
    """Draw in the theme that `render` sets."""
    with theme():
        yield


def picture(pixels: list[int], caption: str = "", wrong: bool = False) -> Picture:
    return Picture(base64.b64encode(bytes(pixels)).decode(), caption, wrong)


GALLERY = Gallery(
    "Table 4",
    (2, 3, 1),
    (
        PictureRow("clean", (picture([0, 50, 100, 150, 200, 250], "maple_tree"),)),
        PictureRow("c_l=50, mean L2 0.31: perturbation", (picture([9] * 6), picture([7] * 6))),
        PictureRow("adversarial", (picture([1] * 6, "dog", True), picture([2] * 6, "cat"))),
    ),
)


def test_equal_pictures_give_equal_bytes_that_carry_the_stamp() -> None:
    first = render(GALLERY, "robench sha256 0123", "svg")
    assert b"robench sha256 0123" in first
    assert render(GALLERY, "robench sha256 0123", "svg") == first


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_drawn_as_squares_of_their_very_value(channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, (8, 8, channels), dtype=np.uint8)
    row = PictureRow("clean", (picture([0] * 64 * channels), picture(list(values.tobytes()))))
    content = Gallery("", (8, 8, channels), (row,))
    page = mpl.image.imread(io.BytesIO(render(content, "", "png")))
    left, right, bottom, top = (100 * side for side in draw(content).axes[0].images[1].get_extent())
    middles = (np.arange(8) + 0.5) / 8
    down, across = top + middles * (bottom - top), left + middles * (right - left)
    seen = 255 * page[down.astype(int)][:, across.astype(int), :channels]
    assert np.array_equal(np.rint(seen), values)


def test_wrong_classes_are_red_bold_and_framed() -> None:
    (ax,) = draw(GALLERY).axes
    texts = {text.get_text(): text for text in ax.texts}
    assert texts["dog"].get_fontweight() == "bold"
    assert texts["cat"].get_fontweight() == "normal"
    assert not same_color(texts["dog"].get_color(), texts["cat"].get_color())
    (frame,) = [one for one in ax.patches if isinstance(one, Rectangle)]
    left, right, bottom, top = ax.images[3].get_extent()
    assert frame.get_bbox().contains((left + right) / 2, (top + bottom) / 2)
    assert "framed, bold and red: not the image's class" in texts
    assert {"clean", "maple tree", "c_l=50,\nmean L2 0.31:\nperturbation"} <= set(texts)
    assert len(ax.images) == 5


def test_the_captions_of_ten_columns_do_not_touch() -> None:
    pictures = tuple(picture([0] * 6, "chimpanzee", True) for _ in range(10))
    canvas = draw(replace(GALLERY, rows=(PictureRow("adversarial", pictures),)))
    boxes = [
        text.get_window_extent() for text in canvas.axes[0].texts if text.get_text() == "chimpanzee"
    ]
    assert len(boxes) == 10
    assert all(box.count_overlaps(boxes) == 1 for box in boxes)
    assert boxes[-1].x1 <= canvas.bbox.x1


def test_a_gallery_without_pictures_is_its_title() -> None:
    (ax,) = draw(replace(GALLERY, rows=(PictureRow("clean", ()),))).axes
    assert [text.get_text() for text in ax.texts] == ["Table 4", "clean"]
    assert render(replace(GALLERY, title="", rows=()), "", "png").startswith(b"\x89PNG")
