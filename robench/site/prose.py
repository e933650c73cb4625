"""Sentences in Markdown as HTML; what looks like HTML in them is shown letter by letter."""

from collections.abc import Callable
from functools import cache
from typing import Any

from markupsafe import Markup

from robench.site.library import needed


def html(markdown: str) -> Markup:
    """Return Markdown as HTML: paragraphs, lists, tables."""
    return Markup(_parser().render(markdown)) if markdown else Markup()


def inline(markdown: str) -> Markup:
    """Return a line of Markdown as HTML without a paragraph round it."""
    return Markup(_parser().renderInline(markdown))


@cache
def _parser() -> Any:
    make: Callable[..., Any] = needed("markdown_it").MarkdownIt
    # Headings of the notes lie below those of the page; links that run something are not made.
    return make("commonmark", {"html": False}).enable("table").disable("image")
