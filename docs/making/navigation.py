"""The contents of the site are the lists of links in its first page.

A heading of `docs/index.md` is a heading of the side bar, and each item below it that begins with a
link to a page is an entry. Where the repository is hosted the same lists are plain Markdown.
"""

import re

from sphinx.application import Sphinx

_TREE = """
```{{toctree}}
:hidden:
:caption: {caption}
{entries}
```
"""


def sections(page: str) -> dict[str, list[tuple[str, str]]]:
    """Return of each heading of second level its entries: title and path, without the ending."""
    found = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        caption, _, body = section.partition("\n")
        found[caption] = re.findall(r"^- \[([^]]+)\]\(([^):]+)\.md\)", body, flags=re.MULTILINE)
    return found


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Append to the first page a hidden table of contents for each of its sections."""
    if name != app.config.root_doc:
        return
    for caption, links in sections(source[0]).items():
        if links:
            entries = "\n".join(f"{title} <{path}>" for title, path in links)
            source[0] += _TREE.format(caption=caption, entries=entries)


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the first page pass through `add_contents` before it is parsed."""
    app.connect("source-read", add_contents)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
