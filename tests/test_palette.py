"""The page's colours can be told from it and from each other."""

import pytest

from robench.site.palette import COLOURS, CONTRAST, SURFACES, contrast, palette, readable


@pytest.mark.parametrize("theme", SURFACES)
def test_colours_stand_out_from_the_page_and_from_each_other(theme: str) -> None:
    found = palette(theme)
    assert len(set(found)) == COLOURS
    for one in found:
        red, green, blue = (int(one[place : place + 2], 16) / 255 for place in (1, 3, 5))
        assert contrast((red, green, blue), SURFACES[theme]) >= CONTRAST - 0.02  # 8 bits a channel


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)) == pytest.approx(21.0)
    assert contrast((1.0, 1.0, 1.0), (1.0, 1.0, 1.0)) == 1.0
    # #767676 is the lightest grey that stands 4.5 to 1 on white.
    grey = 0x76 / 255
    assert contrast((grey, grey, grey), (1.0, 1.0, 1.0)) == pytest.approx(4.54, abs=0.01)
    assert readable((0.0, 0.0, 0.5), (1.0, 1.0, 1.0)) == (0.0, 0.0, 0.5)
