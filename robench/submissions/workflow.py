"""The GitHub workflow that checks submissions in a leaderboard's repository."""

from importlib.resources import files as resources
from pathlib import Path

from robench import files
from robench.environment import installed
from robench.errors import UserError


def text() -> str:
    """Return the workflow, in YAML, for the installed version of robench."""
    template = resources("robench.submissions").joinpath("workflow.yml").read_text("utf-8")
    return template.replace("@VERSION@", installed("robench"))


def write(path: Path) -> None:
    """Write the workflow to `path`; UserError where another file is there."""
    if path.exists() and path.read_text("utf-8", errors="replace") != text():
        raise UserError(f"{path} is there already, and is another; move it, or say --out")
    files.write(path, text())
