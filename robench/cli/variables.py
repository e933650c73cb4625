"""Environment variables for options: ROBENCH_TRAIN_EPOCHS=20 is `robench train --epochs 20`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

from robench.errors import UserError

PREFIX = "ROBENCH"
OTHERS = {"ROBENCH_FUZZ"}
"""Variables that are no options: of the tests of robench itself."""


def variable(*words: str) -> str:
    """Return the name of the variable for a command's words and an option's."""
    return "_".join([PREFIX, *words]).replace("-", "_").upper()


def give(command: click.Command, words: Sequence[str]) -> None:
    """Let every option of a command, and of those under it, be given by a variable.

    `words`: the command's, as `bench attacks`. What an option has already, because several
    commands share it, comes second. Repeatable options take several values with spaces between.
    """
    for option in _options(command):
        own = variable(*words, max(option.opts, key=len).lstrip("-"))
        shared = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
        option.envvar = [own, *(name for name in shared if name != own)]
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            give(inner, [*words, name])


def check(command: click.Command, words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Raise UserError for a variable that has the command's prefix and is no option of it."""
    from robench.spelling import suggestion

    known = set(_names(command))
    for name in sorted(environment):
        if name.startswith(variable(*words) + "_") and name not in known:
            asked = " ".join(["robench", *words])
            raise UserError(
                f"the environment variable {name} is no option of `{asked}`"
                f"{suggestion(name, known)} Unset it, or see `{asked} --help`"
            )


def check_rest(
    context: click.Context, command: click.Command, environment: Mapping[str, str]
) -> None:
    """Raise UserError for a variable that is an option of no command, nor begins as any's would.

    `command`: the one that is called; `context`: of the group of all, which are imported only
    where the variable is not of this one.
    """
    own, group = set(_names(command)), context.command
    # What begins as another command's variables do is that command's business.
    words = group.list_commands(context) if isinstance(group, click.Group) else []
    begun = tuple(f"{variable(word)}_" for word in words)
    rest = [name for name in environment if name not in own and not name.startswith(begun)]
    for name, wrong in strange(context, rest).items():
        raise UserError(f"the environment variable {name} {wrong} Unset it: unset {name}")


def strange(context: click.Context, names: Iterable[str]) -> dict[str, str]:
    """Tell which variables are no option of any command, each with the nearest that is one."""
    from robench.spelling import suggestion

    asked = sorted(one for one in names if one.startswith(f"{PREFIX}_") and one not in OTHERS)
    group, known = context.command, set[str]()
    if asked and isinstance(group, click.Group):
        for word in group.list_commands(context):
            if command := group.get_command(context, word):
                known.update(_names(command))
    return {
        name: f"is no option of any command{suggestion(name, sorted(known))}"
        for name in asked
        if name not in known
    }


def origin(context: click.Context, parameter: click.Parameter) -> str | None:
    """Return the variable that gave a parameter its value; None where none did."""
    source = context.get_parameter_source(parameter.name or "")
    if source is not click.core.ParameterSource.ENVIRONMENT:
        return None
    names = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or ()
    return next((name for name in names if parameter.value_from_envvar(context)), None)


def _options(command: click.Command) -> Iterator[click.Option]:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield parameter


def _names(command: click.Command) -> Iterator[str]:
    for option in _options(command):
        yield from option.envvar or ()
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _names(inner)
