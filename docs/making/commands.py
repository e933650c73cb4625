"""The reference of the command line, in the words of `--help`.

The directive `commands` takes the project's click command as `module:name`. Each command becomes a
section with its usage, its help and its options; the commands of a group follow the group.
"""

import re
from collections.abc import Iterator
from importlib import import_module

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Commands(SphinxDirective):
    """Writes one section a command."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the sections, of the command that is named and of all below it."""
        module, _, name = self.arguments[0].partition(":")
        command = getattr(import_module(module), name)
        top = click.Context(command, info_name=self.config.project)
        return [_section(context) for context in walk(top)]


def walk(context: click.Context) -> Iterator[click.Context]:
    """Yield the context of a command and of each command below it."""
    yield context
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command, name
            yield from walk(click.Context(command, info_name=name, parent=context))


def _section(context: click.Context) -> nodes.section:
    path = context.command_path
    section = nodes.section(ids=[nodes.make_id(path)], names=[nodes.fully_normalize_name(path)])
    section += nodes.title("", "", nodes.literal(text=path))
    for paragraph in (context.command.help or "").split("\n\n"):
        section += nodes.paragraph("", "", *_prose(paragraph))
    usage = " ".join([path, *context.command.collect_usage_pieces(context)])
    section += nodes.literal_block(usage, usage, language="none")
    section += _options(context)
    return section


def _options(context: click.Context) -> nodes.definition_list:
    records = [one.get_help_record(context) for one in context.command.get_params(context)]
    items = [
        nodes.definition_list_item(
            "",
            nodes.term("", "", nodes.literal(text=names)),
            nodes.definition("", nodes.paragraph("", "", *_prose(said))),
        )
        for names, said in filter(None, records)
        if said and "--help" not in names  # an argument has no help of its own
    ]
    return nodes.definition_list("", *items, classes=["options"])


def _prose(text: str) -> list[nodes.Node]:
    """Return a paragraph of a help text, where `code` stands between backticks."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    return [
        nodes.literal(text=part) if place % 2 else nodes.Text(part)
        for place, part in enumerate(parts)
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
