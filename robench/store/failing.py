"""What a store that refuses or fails has done, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from robench.errors import RunFailed, UserError


class Unreachable(RunFailed):
    """The store failed while it was used; all that was stored before is still there."""


@contextmanager
def told(url: str) -> Iterator[None]:
    """Raise UserError for what is refused or not there, Unreachable for all else that fails."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except FileNotFoundError:
        raise UserError(
            f"{url}: there is no such bucket; make it, or choose another --runs"
        ) from None
    except PermissionError as error:
        raise UserError(
            f"{url}: access is refused ({_line(error)}); see to the credentials and what they may "
            "do: read, write, list and delete"
        ) from None
    except Exception as error:  # each file system has errors of its own
        raise Unreachable(
            f"{url} cannot be used ({_line(error)}); what was stored is there: once it can be "
            "reached, the same command goes on"
        ) from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
