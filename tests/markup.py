"""What a page of HTML holds, read by the standard library's parser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"br", "img", "input", "link", "meta"}


@dataclass(eq=False)
class Element:
    """An element of a page; printed without what is around it and in it, which are a whole page."""

    tag: str
    given: dict[str, str]
    within: "Element | None" = field(default=None, repr=False)
    inner: "list[Element]" = field(default_factory=list, repr=False)
    """All elements in it, at any depth."""
    parts: list[str] = field(default_factory=list, repr=False)

    @property
    def text(self) -> str:
        """Return the text of the element and of what it holds."""
        return "".join(self.parts)

    @property
    def cells(self) -> "list[Element]":
        """Return the cells of a row."""
        return [one for one in self.inner if one.tag in ("td", "th")]


@dataclass
class Markup(HTMLParser):
    """All elements of a page, in order."""

    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin outside of everything."""
        super().__init__()
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter an element; a cell or a row ends the one before it."""
        ends = {
            "dd": ("dt",),
            "td": ("td", "th"),
            "th": ("td", "th"),
            "tr": ("td", "th", "tr"),
        }.get(tag, ())
        while self.open and self.open[-1].tag in ends:
            self.open.pop()
        within = self.open[-1] if self.open else None
        one = Element(tag, {name: value or "" for name, value in attrs}, within)
        self.elements.append(one)
        for around in self.open:
            around.inner.append(one)
        if tag not in VOID:
            self.open.append(one)

    def handle_endtag(self, tag: str) -> None:
        """Leave an element, and those in it that need no end of their own."""
        if any(one.tag == tag for one in self.open):
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Add text to all that is open."""
        for one in self.open:
            one.parts.append(data)

    def all(self, tag: str) -> list[Element]:
        """Return the elements of one kind."""
        return [one for one in self.elements if one.tag == tag]


def parsed(content: bytes) -> Markup:
    """Return the elements of a page."""
    markup = Markup()
    markup.feed(content.decode())
    markup.close()
    return markup
