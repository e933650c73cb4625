"""What went wrong, said in one line to the person who typed the command."""


class UserError(Exception):
    """Something asked for that cannot be had: what was asked, what exists, how to mend it."""

    exit_code = 2


class RunFailed(UserError):
    """A computation that was asked for correctly and failed on the way."""

    exit_code = 1
