"""What `robench[html]` brings: Vega, which draws the charts, and a reader of Markdown.

Vega comes as one script out of vl-convert's wheel, so that nothing is fetched when the page is
written or opened, and no copy of it lies here.
"""

import importlib
from types import ModuleType

from robench.errors import UserError

CREDIT = (
    "Charts are drawn by Vega, Vega-Lite and Vega-Embed, copyright University of Washington "
    "Interactive Data Lab and contributors, BSD 3-Clause License."
)


def needed(module: str) -> ModuleType:
    """Return a module of the extra; UserError says how to install it where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(
            f"a page in HTML needs {module.replace('_', '-')}, which is not installed; run: "
            'pip install "robench[html]"'
        ) from None


def script() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that a page can hold."""
    bundle: str = needed("vl_convert").javascript_bundle()
    # As a backslash means nothing before a slash, neither ends the element that holds the script.
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
