"""Settings of the site that `make docs` builds with Sphinx from the repository's own Markdown.

The source folder is the repository, so that a link between two pages is the same in the site, on
disk and where the repository is hosted. `docs/index.md` is both the first page and the contents.
"""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "robench"
author = "robench developers"
release = version = installed("robench")
html_title = f"robench {release}"
root_doc = "docs/index"
extensions = [
    "myst_parser",  # reads Markdown
    "sphinx.ext.autodoc",  # the Python reference, from docstrings
    "commands",
    "mathematics",
    "navigation",
]
include_patterns = [
    "docs/*.md",
    "attacks/README.md",
    "benchmarks/README.md",
    "defenses/README.md",
    "examples/*/README.md",
    "leaderboard/README.md",
    "leaderboard/paper/*.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
exclude_patterns = [".*", "build", "data", "demo", "dist", "reproduction", "runs"]  # not searched
suppress_warnings = ["toc.not_included"]  # pages that others lead to; tests/test_docs.py has docs/

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

default_role = "code"  # docstrings write `code`, as Markdown does
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
smartquotes = False  # which would make one dash of the two before an option

toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_extra_path = ["start"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
