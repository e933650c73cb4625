"""`--runs` as a folder or the URL of a store."""

from pathlib import Path
from typing import Any

import click

UNREAD = ("train", "match", "doctor")
"""The commands that read no run but those they train, which are brought up to date when claimed."""


class RunsFolder(click.Path):
    """A folder; of the URL of a store, that which mirrors it, with its records up to date."""

    def __init__(self) -> None:
        """Take paths as `pathlib.Path`; a file is refused."""
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path of a folder; UserError for a store that cannot be had."""
        if not isinstance(value, str) or "://" not in value:
            return super().convert(value, param, ctx)
        if ctx is not None and ctx.resilient_parsing:
            return Path()
        from robench import mirrors
        from robench.store.opening import placed

        root = placed(value)
        if ctx is None or ctx.info_name not in UNREAD:
            mirrors.refresh(root)
        return super().convert(str(root), param, ctx)
