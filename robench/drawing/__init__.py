"""Figures drawn with seaborn's theme. Import it where something is drawn: it takes a second."""

import io
from typing import Literal

from matplotlib.figure import Figure as Canvas

from robench.contents import (
    AccuracyNorm,
    AlongTraining,
    AtAGlance,
    Content,
    Gallery,
    RobustnessCurve,
)
from robench.drawing import accuracy_norm, along_training, at_a_glance, gallery, robustness
from robench.drawing.style import theme


def render(content: Content, stamp: str, form: Literal["svg", "png"]) -> bytes:
    """Draw `content`; an SVG carries `stamp` as its description and no date."""
    buffer = io.BytesIO()
    with theme():
        metadata = {"Description": stamp} | ({"Date": None} if form == "svg" else {})
        draw(content).savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()


def draw(content: Content) -> Canvas:
    """Return `content` on a canvas, in the theme that is set."""
    match content:
        case AccuracyNorm():
            return accuracy_norm.draw(content)
        case RobustnessCurve():
            return robustness.draw(content)
        case AlongTraining():
            return along_training.draw(content)
        case Gallery():
            return gallery.draw(content)
        case AtAGlance():
            return at_a_glance.draw(content)
