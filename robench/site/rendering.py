"""The page as bytes: templates filled in, pictures, styles and scripts put into one file.

The browser is told to run the three scripts of the page, by their hashes, and nothing else; to load
nothing from anywhere; and to obey no name in the records (a Content-Security-Policy, level 3).
"""

import base64
import hashlib
import io
import re
from collections.abc import Mapping
from importlib.resources import files as resources

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from robench import sealing
from robench.contents import Picture
from robench.files import sha256
from robench.site.contents import Page
from robench.site.library import CREDIT, script
from robench.site.palette import palette
from robench.visible import visible

SCRIPTS = ("theme", "tables", "rows", "compare", "drawing", "charts")
"""In the order that they run in."""
STYLED = 1 << 16
"""Bytes within which the head names the stamp."""
STAMP = re.compile(rb'<meta name="robench" content="sha256 ([0-9a-f]{64})">')
_PICTURE = re.compile(r'"picture:([0-9a-f]{64})"')
Pictures = dict[str, tuple[Picture, tuple[int, int, int]]]
"""By a hash, each with its height, width and channels."""


def stamp(page: Page) -> str:
    """Return the hash of what the page says and how; Vega and the form of pictures left out."""
    return _stamp(_body(page, {}))


def render(page: Page) -> bytes:
    """Return the page, with its stamp and the hash of its bytes; UserError without the extra."""
    pictures: Pictures = {}
    body = _body(page, pictures)
    shown = _PICTURE.sub(lambda found: f'"{_png(*pictures[found[1]])}"', body)
    whole = _page(shown, _stamp(body), script())
    return sealing.sealed(f"{whole}<!-- {sealing.BLANK.decode()} -->\n".encode())


def stamped(content: bytes) -> str:
    """Return the stamp that a page carries; empty where it has none or its bytes were changed."""
    found = STAMP.search(content[:STYLED])
    return found[1].decode() if found and sealing.intact(content) else ""


def _stamp(body: str) -> str:
    return sha256(_page(body, "", "").encode())


def _body(page: Page, pictures: Pictures) -> str:
    """Return the page's body; put its pictures, for which it holds hashes, into `pictures`."""

    def named(picture: Picture, shape: tuple[int, int, int]) -> str:
        name = sha256(f"{shape} {picture.pixels}".encode())
        pictures[name] = (picture, shape)
        return f"picture:{name}"

    environment = _environment()
    environment.filters |= {"named": named, "legible": _legible}
    return environment.get_template("body.html").render(page=page, credit=CREDIT)


def _page(body: str, stamp: str, library: str) -> str:
    """Return the page round a body."""
    style = "\n".join([_palettes(), _read("page.css")])
    start, behind = _read("start.js"), _behind()
    return (
        _environment()
        .get_template("page.html")
        .render(
            stamp=stamp,
            style=Markup(style),
            start=Markup(start),
            behind=Markup(behind),
            library=Markup(library),
            style_hash=Markup(_hash(style)),
            script_hashes=Markup(" ".join(map(_hash, (start, behind, library)))),
            body=Markup(body),
        )
    )


def _behind() -> str:
    """Return the page's scripts as one, none of whose names another script can take."""
    return "(() => {\n" + "\n".join(_read(f"{name}.js") for name in SCRIPTS) + "})();\n"


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("robench.site", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def _shown(value: object) -> object:
    """Return a value with what no reader sees, or a browser obeys, of plain text written out."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _legible(value: object) -> object:
    """Return what JSON can hold with all of its texts as `_shown` has them."""
    if isinstance(value, Mapping):
        return {visible(str(name)): _legible(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_legible(one) for one in value]
    return visible(value) if isinstance(value, str) else value


def _palettes() -> str:
    """Return the colours of variants as variables of either theme."""
    light, dark = (
        "".join(f"--v{place}:{one};" for place, one in enumerate(palette(name)))
        for name in ("light", "dark")
    )
    return (
        f":root{{{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f":root[data-theme=light]{{{light}}}\n:root[data-theme=dark]{{{dark}}}"
    )


def _hash(source: str) -> str:
    """Return what a Content-Security-Policy calls an inline script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _png(picture: Picture, shape: tuple[int, int, int]) -> str:
    """Return a picture as a data URI of its pixels, unchanged."""
    from PIL import Image

    pixels = np.frombuffer(base64.b64decode(picture.pixels), dtype=np.uint8).reshape(shape)
    buffer = io.BytesIO()
    Image.fromarray(pixels if shape[2] == 3 else pixels[..., 0]).save(buffer, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _read(name: str) -> str:
    return resources("robench.site").joinpath("templates", name).read_text("utf-8")
