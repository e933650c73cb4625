"""YAML that people write: plain values alone, each key once."""

from pathlib import Path

import yaml

from robench.errors import UserError


def read(path: Path) -> object:
    """Return the content of a YAML file; UserError, without its name, for what is none."""
    try:
        return parse(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read ({error})") from None


def parse(text: str) -> object:
    """Return the plain values of YAML; UserError for anything else and for a key that is twice."""
    try:
        _check_keys(yaml.compose(text, yaml.SafeLoader), set())
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"is not YAML ({' '.join(str(error).split())})") from None


def _check_keys(node: yaml.Node | None, seen: set[int]) -> None:
    if id(node) in seen:
        return  # an alias, which may even lie within what it names
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise UserError(f"{', '.join(sorted(twice))} stands twice in one mapping")
        for _, value in node.value:
            _check_keys(value, seen)
