"""What went wrong, said in one line to the person who typed the command."""

LONGEST = 2000
"""Characters of a message; of a longer one the middle is left out."""


class UserError(Exception):
    """Something asked for that cannot be had: what was asked, what exists, how to mend it."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        """Keep the message, shortened where a file put a book into it."""
        half = LONGEST // 2
        long = len(message) > LONGEST
        super().__init__(f"{message[:half]} ... {message[-half:]}" if long else message)


class RunFailed(UserError):
    """A computation that was asked for correctly and failed on the way."""

    exit_code = 1


class Diverged(RunFailed):
    """A training whose loss is no number any more, or absurdly large."""
