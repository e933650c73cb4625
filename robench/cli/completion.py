"""`robench completion`, and what the Tab key finds: commands, options, plugins, files."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from robench.cli.printing import say
from robench.plugins import Registry

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[str]]"]
SHELLS = ("bash", "zsh", "fish")


@click.command(name="completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes the Tab key complete commands, options and plugins in a SHELL.

    bash: eval "$(robench completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc; fish:
    robench completion fish > ~/.config/fish/completions/robench.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # click has all SHELLS
    program = "robench"
    say(found(ctx.find_root().command, {}, program, f"_{program.upper()}_COMPLETE").source())


def plugins(registry: Registry[Any]) -> Completer:
    """Return what completes the name of a plugin of one kind, or else a file's.

    The plugins are not imported: their names are those of their entry points.
    """

    def complete(
        _context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        from click.shell_completion import CompletionItem

        names = [name for name in registry.names() if name.startswith(incomplete)]
        return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]

    return complete
