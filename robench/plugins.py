"""Plugins found by entry point, by file or by import string; built-ins get no other way in."""

import hashlib
import pkgutil
import sys
import warnings
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Generic, TypeVar

from robench import files
from robench.errors import UserError
from robench.settings import declared
from robench.spelling import suggestion

if TYPE_CHECKING:
    from robench.architecture import Architecture
    from robench.attack import Attack
    from robench.dataset import Dataset
    from robench.defense import Defense
    from robench.peer import Peer
    from robench.zoo import Zoo

T = TypeVar("T")
MOST = 2**24
"""Bytes of a plugin's file that is read."""


class OtherKind(UserError):
    """There is no plugin of this kind where one was named; one of another kind there may be."""


@dataclass(frozen=True)
class Plugin(Generic[T]):
    """A plugin class under the name that records know it by."""

    name: str
    cls: type[T]


@dataclass(frozen=True)
class Registry(Generic[T]):
    """All plugins of one kind that are installed."""

    kind: str
    group: str
    contract: str

    def points(self) -> dict[str, list[EntryPoint]]:
        """Return the entry points by name; more than one of a name is an error to be told."""
        found: dict[str, list[EntryPoint]] = {}
        for point in sorted(entry_points(group=self.group), key=lambda p: (p.name, owner(p))):
            found.setdefault(point.name, []).append(point)
        return found

    def names(self) -> list[str]:
        """Return the names of the installed plugins, whether or not they load."""
        return list(self.points())

    def get(self, name: str) -> Plugin[T]:
        """Return the plugin called `name`, in `FILE.py[:Class]`, or at `module:Class`."""
        if name.split(":")[0].endswith(".py"):
            return self._from_file(name)
        if ":" in name:
            return Plugin(name, self._checked(name, resolved(name, self.kind)))
        return Plugin(name, self._load(self._single(name)))

    def recorded(self, name: str) -> Plugin[T]:
        """Return the plugin that a record names; never a file, which whoever wrote it could add."""
        if name.split(":")[0].endswith(".py"):
            raise UserError(f"a record names the {self.kind} file {name!r}; no such file is run")
        return self.get(name)

    def available(self) -> list[Plugin[T]]:
        """Return every plugin that loads; warn of each that does not, naming its distribution."""
        loaded = []
        for name in self.names():
            point = self._single(name)
            try:
                loaded.append(Plugin(name, self._load(point)))
            except UserError as error:
                warnings.warn(str(error), stacklevel=2)
        return loaded

    @cached_property
    def _contract(self) -> type[T]:
        return pkgutil.resolve_name(self.contract)

    def _single(self, name: str) -> EntryPoint:
        points = self.points()
        if name not in points:
            hint, installed = suggestion(name, points), ", ".join(points) or "none"
            raise OtherKind(f"no {self.kind} called {name!r}{hint} Installed: {installed}")
        if len(points[name]) > 1:
            owners = " and ".join(owner(point) for point in points[name])
            raise UserError(
                f"the {self.kind} {name!r} is claimed by {owners}; uninstall one of them"
            )
        return points[name][0]

    def _load(self, point: EntryPoint) -> type[T]:
        try:
            plugin = point.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module raises on import
            raise UserError(
                f"the {self.kind} {point.name!r} of {owner(point)} does not load "
                f"({type(error).__name__}: {error}); mend or uninstall {owner(point)}"
            ) from error
        return self._checked(f"{point.name} of {owner(point)}", plugin)

    def _from_file(self, name: str) -> Plugin[T]:
        file, _, class_name = name.partition(":")
        module, digest = executed(file, self.kind)
        if not class_name:
            class_name = self._only_class(module, Path(file))
        if class_name not in vars(module):
            raise UserError(f"{file} has no class {class_name!r}")
        plugin = self._checked(name, vars(module)[class_name])
        return Plugin(f"{Path(file).stem}:{class_name}@{digest}", plugin)

    def _only_class(self, module: ModuleType, path: Path) -> str:
        own = [
            key
            for key, value in vars(module).items()
            if isinstance(value, type)
            and issubclass(value, self._contract)
            and value.__module__ == module.__name__
        ]
        if len(own) != 1:
            raise (UserError if own else OtherKind)(
                f"{path} holds {len(own)} {self.kind} classes ({', '.join(own) or 'none'}); "
                f"name one: {path}:CLASS"
            )
        return own[0]

    def _checked(self, name: str, plugin: object) -> type[T]:
        if not (isinstance(plugin, type) and issubclass(plugin, self._contract)):
            raise OtherKind(f"{name} is no {self.kind}: not a class derived from {self.contract}")
        if "__dataclass_fields__" not in vars(plugin):  # is_dataclass looks at the parents too
            raise UserError(f"{name} is no {self.kind}: {plugin.__name__} lacks @dataclass")
        if missing := ", ".join(sorted(getattr(plugin, "__abstractmethods__", ()))):
            raise UserError(f"{name} is no {self.kind}: {plugin.__name__} lacks {missing}")
        try:
            declared(plugin)
        except UserError as error:
            raise UserError(f"{name} is no {self.kind}: {error}") from None
        return plugin


def owner(point: EntryPoint) -> str:
    """Name the distribution that registered `point`."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"


def resolved(name: str, kind: str) -> object:
    """Return what lies at `module:name`; UserError where that cannot be imported."""
    try:
        return pkgutil.resolve_name(name)
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises on import
        raise UserError(f"no {kind} at {name!r} ({type(error).__name__}: {error})") from error


def executed(file: str, kind: str) -> tuple[ModuleType, str]:
    """Run a file of Python; return its module and the first digits of its SHA-256.

    Raises UserError where it is missing or does not load; `kind`: what it was to bring.
    """
    path = Path(file)
    try:
        source = files.read(path, MOST)
    except (OSError, ValueError) as error:
        there = f"there is no file {file} to load a {kind} from"
        missing = isinstance(error, FileNotFoundError)
        raise UserError(there if missing else f"{there} ({error})") from None
    return _execute(source, path, kind), hashlib.sha256(source).hexdigest()[:8]


def _execute(source: bytes, path: Path, kind: str) -> ModuleType:
    """Import a file from its text: bytecode kept beside it may be older than an edit."""
    module = ModuleType(f"robench_file_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        exec(compile(source, path, "exec"), vars(module))
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises on import
        raise UserError(
            f"the {kind} file {path} does not load ({type(error).__name__}: {error})"
        ) from error
    return module


DEFENSES: "Registry[Defense]" = Registry("defense", "robench.defenses", "robench.defense:Defense")
ATTACKS: "Registry[Attack]" = Registry("attack", "robench.attacks", "robench.attack:Attack")
DATASETS: "Registry[Dataset]" = Registry("dataset", "robench.datasets", "robench.dataset:Dataset")
MODELS: "Registry[Architecture]" = Registry(
    "model", "robench.models", "robench.architecture:Architecture"
)
PEERS: "Registry[Peer]" = Registry("peer", "robench.peers", "robench.peer:Peer")
ZOOS: "Registry[Zoo]" = Registry("zoo", "robench.zoos", "robench.zoo:Zoo")
REGISTRIES = (DEFENSES, ATTACKS, DATASETS, MODELS, ZOOS, PEERS)
