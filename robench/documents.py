"""YAML that people write: plain values alone, each key once."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from robench import files
from robench.conformance import LARGEST
from robench.errors import UserError

MOST = 2**18
"""Bytes of a file that is read: people write less."""
VALUES = 100_000
"""Values that a text may stand for, with each alias counted as what it names."""


def read(path: Path) -> object:
    """Return the content of a YAML file; UserError, without its name, for what is none."""
    return parse(text_of(path))


def text_of(path: Path) -> str:
    """Return the text of a file that a person wrote; UserError, without its name, for what is none.

    What it holds need not be YAML.
    """
    try:
        return files.read(path, MOST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read ({error})") from None


def mapping(value: object, what: str) -> dict[str, Any]:
    """Return a copy of a mapping whose keys are text; nothing is an empty one.

    Raises UserError for anything else, called `what`.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{what} is a {type(value).__name__}, not a mapping of keys to values")
    if odd := [key for key in value if not isinstance(key, str)]:
        raise UserError(f"{what}: the key {odd[0]} is not text; put it in quotes")
    return dict(value)


def parse(text: str) -> object:
    """Return the plain values of YAML; UserError for anything else and for a key that is twice."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        _check_size(node, {})
        _check_keys(node)
        value: object = yaml.safe_load(text)
        _check_values(value)
        return value
    except UserError:
        raise
    except Exception as error:  # beside YAMLError, whatever `!!int x` or `!!timestamp x` lead to
        raise UserError(f"is not YAML ({' '.join(str(error).split())})") from None


def _check_size(node: yaml.Node | None, sizes: dict[int, int]) -> int:
    """Return how many values a node stands for; UserError for aliases that make it a bomb."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise UserError("is not plain: an alias stands within what it names")
        return sizes[id(node)]
    sizes[id(node)] = 0
    inner = [
        one for entry in node.value for one in (entry if isinstance(entry, tuple) else (entry,))
    ]
    sizes[id(node)] = 1 + sum(_check_size(one, sizes) for one in inner)
    if sizes[id(node)] > VALUES:
        raise UserError(f"stands for more than {VALUES:,} values")
    return sizes[id(node)]


def _check_keys(node: yaml.Node | None) -> None:
    if isinstance(node, yaml.MappingNode):
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := [key for key, count in keys.items() if count > 1]:
            raise UserError(f"{', '.join(sorted(twice))} stands twice in one mapping")
        for _, value in node.value:
            _check_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(value)


def _check_values(value: object) -> None:
    """Refuse numbers and texts that could be written to no record."""
    if isinstance(value, dict):
        for key, one in value.items():
            _check_values(key)
            _check_values(one)
    elif isinstance(value, list):
        for one in value:
            _check_values(one)
    elif isinstance(value, int) and abs(value) >= LARGEST:
        raise UserError("holds a whole number of more than 64 bits")
    elif isinstance(value, str):
        value.encode()  # ValueError for half a character
