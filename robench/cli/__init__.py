"""The command line. Each command's module, and all that is heavy, is imported when it is called."""

import atexit
import contextlib
import errno
import os
import shlex
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any, NoReturn

import click

from robench.cli import variables
from robench.cli.printing import say
from robench.errors import UserError
from robench.settings import UnknownSetting

COMMANDS = {
    "ls": "List defenses, attacks, datasets and models, with their settings and defaults.",
    "new": "Write a package with a plugin of your own to start from.",
    "check": "Try a plugin out in a minute, and say what to mend.",
    "train": "Train one defense.",
    "sweep": "Train every combination of some settings, seeds and defenses.",
    "status": "Say how far the runs of a folder are, whoever trains them.",
    "match": "Search for the strength at which a defense meets a benign accuracy.",
    "eval": "Match trained defenses at a benign accuracy and attack them.",
    "run": "Carry a run file out: train, evaluate, audit and report all that it asks for.",
    "audit": "Check whether evaluations can be believed: wrapper, attacks, hidden gradients.",
    "bench": "Time attacks beside other libraries, and training beside its passes.",
    "reproduce": "Regenerate a table or figure of the paper.",
    "report": "Write the leaderboard from records.",
    "explain": "Say where a number of the leaderboard comes from.",
    "verify": "Recompute what the records of a run or a submission say, and compare.",
    "submit": "Pack rows into one file for a leaderboard.",
    "leaderboard": "Merge submissions into a leaderboard.",
    "demo": "Train, evaluate and report every defense on a small embedded data set.",
    "doctor": "Say what is installed, what is wrong and how to mend it.",
    "completion": "Print what makes the Tab key complete commands, options and plugins.",
}
GOING_ON = {"train", "sweep", "match", "eval", "run", "audit", "reproduce", "demo"}
"""The commands that, given again, go on where they were interrupted."""
_DISK = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),  # full or failing
    *(errno.EROFS, errno.EACCES, errno.EPERM),  # not to be written
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),  # something else is there
}


class LazyGroup(click.Group):
    """Knows its commands' names; imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"robench.cli.{cmd_name}").command
        variables.give(command, [cmd_name])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for; UserError where the environment misspells it."""
        name, command, rest = super().resolve_command(ctx, args)
        if name and command and not ctx.resilient_parsing and name != "doctor":  # which lists them
            variables.check(command, [name], os.environ)
            variables.check_rest(ctx, command, os.environ)
        if isinstance(command, click.Group) and not rest:
            rest = ["--help"]
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; where a setting is not there and an option is called so, say that."""
        try:
            return super().invoke(ctx)
        except UnknownSetting as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            if command and (word := option_of(command, error.key, error.value)):
                said = f"{error.start}; it is an option: {word}. {error.settings}"
                raise UserError(said) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def option_of(command: click.Command, key: str, value: str) -> str:
    """Return the option of a command that is called `key`, as it is typed; nothing without one."""
    for option in command.params:
        if isinstance(option, click.Option):
            typed = max(option.opts, key=len)
            if key.replace("_", "-") in {(option.name or "").replace("_", "-"), typed.lstrip("-")}:
                return typed if option.is_flag else f"{typed} {shlex.quote(value)}"
    return ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("robench"), prog_name="robench")
def cli() -> None:
    """Compare adversarial-training defenses at matched benign accuracy.

    Train defenses, attack the checkpoints whose benign accuracy matches, read the leaderboard.
    Every option can be given in the environment: ROBENCH_TRAIN_EPOCHS=20 is `train --epochs 20`,
    ROBENCH_RUNS is --runs of all commands (docs/scripting.md).
    """


def main() -> NoReturn:
    """Run the command line; whatever goes wrong ends in one line and an exit code.

    0: done. 1: asked for correctly, failed on the way. 2: asked for what cannot be had.
    130: interrupted.
    """
    warnings.showwarning = _say_warning
    try:
        # Not standalone, click returns the exit code that a command asked for.
        code = cli.main(sys.argv[1:] or ["--help"], "robench", standalone_mode=False) or 0
    except click.ClickException as error:
        _say(f"Error: {error.format_message().rstrip('.')}{_where_to_look(error)}")
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say(_interrupted(sys.argv[1:]))
        code = 130
    except UserError as error:
        _say(f"Error: {error}")
        code = error.exit_code
    except Exception as error:
        code = _unforeseen(error)
    # All is said and done: an interrupt while Python clears up would only print a traceback.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def _where_to_look(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return ""
    parameter = error.param if isinstance(error, click.BadParameter) else None
    name = variables.origin(context, parameter) if parameter else None
    said = f" (from the environment variable {name})" if name else ""
    return f"{said}; see `{context.command_path} --help`"


def _interrupted(words: Sequence[str]) -> str:
    goes_on = words[:1] and words[0] in GOING_ON
    command = shlex.join(["robench", *words])
    return f"Interrupted; to go on from what is stored: {command}" if goes_on else "Interrupted"


def _unforeseen(error: Exception) -> int:
    """Report a failing disk as such and anything else as a defect, with the traceback kept."""
    if isinstance(error, OSError) and error.errno in _DISK:
        place = f" ({error.filename})" if error.filename else ""
        _say(f"Error: {error.strerror}{place}; free or choose another --runs, then repeat")
        return 2
    with tempfile.NamedTemporaryFile("w", prefix="robench-", suffix=".log", delete=False) as log:
        log.write("".join(traceback.format_exception(error)))
    _say(f"Error: {type(error).__name__}: {error}. A defect in robench; details in {log.name}")
    return 1


def _say(text: str) -> None:
    say(" ".join(text.split()), err=True)


def _say_warning(message: Warning | str, *args: object, **kwargs: object) -> None:
    with contextlib.suppress(OSError):
        _say(f"Warning: {message}")
