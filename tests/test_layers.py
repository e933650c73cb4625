"""Who may import whom, and what else every source file must keep to, read off the syntax trees."""

import ast
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "robench": ROOT / "robench",
    "robench_defenses": ROOT / "defenses" / "robench_defenses",
    "robench_attacks": ROOT / "attacks" / "robench_attacks",
}
HEAVY = {"art", "matplotlib", "pandas", "seaborn", "sklearn", "torch", "torchvision"}
PLUGINS = (
    *("robench_defenses", "robench_attacks"),
    *("robench.models", "robench.datasets", "robench.zoos"),
)
ADAPTERS = "robench_attacks.peers"
ZOOS = "robench.zoos"
CLUSTER = "robench.executors.cluster"
"""Plugins around a package that is installed for itself, or not."""
CONTRACTS = {
    "robench_defenses": {"robench.defense", "robench.errors", "robench.gradient"},
    "robench_attacks": {
        "robench.attack",
        "robench.defense",  # which an adaptive attack is told
        "robench.errors",
        "robench.gradient",
        "robench.peer",
        "robench.records",
        # PGN's generator is a defense and an attack; the other way round stays closed.
        "robench_defenses.ablation",
        "robench_defenses.pgn",
    },
    "robench.models": {"robench.architecture", "robench.errors"},
    "robench.datasets": {"robench.dataset", "robench.errors", "robench.files"},
    "robench.zoos": {"robench.errors", "robench.zoo"},
}
"""What a plugin may know of the harness: its contract, and what holds nothing of the harness."""
LATE = ("adv_lib", "foolbox", "fsspec", "ray", "robustbench", "s3fs", "torchattacks")
"""Packages that may not be there, or are for few, imported only when they are asked for."""
STORE = "robench.store"
"""Known to who opens a store alone: all else asks `robench.mirrors`, which knows none."""
OPENERS = ("robench.api", "robench.cli.stores", "robench.executors.worker")
LIGHT = {
    "robench": set[str](),
    "robench.errors": set[str](),
    "robench.files": set[str](),
    "robench.mirrors": set[str](),
    "robench.store.opening": set[str](),
    "robench.records": set[str](),
    "robench.settings": set[str](),
    "robench.plugins": set[str](),
    "robench.matching": set[str](),
    "robench.bracketing": set[str](),
    "robench.attack": set[str](),
    "robench.dataset": set[str](),
    "robench.peer": set[str](),
    "robench.zoo": set[str](),
    "robench.defense": {"torch"},
    "robench.architecture": {"torch"},
    "robench.gradient": {"torch"},
}
"""The heavy packages that importing a module may load."""


@dataclass(frozen=True)
class Import:
    """One imported module, and where in its file the import stands."""

    name: str
    typing: bool
    """Under `if TYPE_CHECKING:`."""
    top: bool
    """Done when the file is imported."""

    @property
    def package(self) -> str:
        """Return the first part of the name."""
        return self.name.partition(".")[0]


@cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax tree of every module, by its dotted name."""
    return {name: ast.parse(path.read_text()) for name, path in paths().items()}


@cache
def paths() -> dict[str, Path]:
    """Return the file of every module."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([package, *(p for p in parts if p != "__init__")])] = path
    return found


@cache
def imports(module: str) -> tuple[Import, ...]:
    """Return what a module imports, anywhere in it."""
    return tuple(_imports(trees()[module], typing=False, top=True))


def _imports(node: ast.AST, *, typing: bool, top: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, typing, top) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.module, "relative import"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield Import(inner if inner in paths() else node.module, typing, top)
    elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        for statement in node.body:
            yield from _imports(statement, typing=True, top=top)
    else:
        top = top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, typing=typing, top=top)


def under(name: str, *packages: str) -> bool:
    """Tell whether a module lies in one of the packages."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def loaded(module: str) -> set[str]:
    """Return the packages from elsewhere that importing a module loads, through all it imports."""
    found, seen, todo = set[str](), set[str](), [module]
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        direct = {i.name for i in imports(one) if i.top and not i.typing}
        todo += [name for name in direct if name in paths()]
        found |= {name.partition(".")[0] for name in direct if name not in paths()}
    return found


def _defaults(node: ast.AST) -> Sequence[ast.AST | None]:
    """Return what a field, an argument or an option of the command line is by default."""
    if isinstance(node, ast.AnnAssign):
        return [node.value]
    if isinstance(node, ast.keyword):
        several = node.value.elts if isinstance(node.value, ast.Tuple) else []
        return [node.value, *several] if node.arg == "default" else []
    return [*node.defaults, *node.kw_defaults] if isinstance(node, ast.arguments) else []


def documented(node: ast.AST) -> Iterator[ast.AST]:
    """Return the public names of a module that owe a docstring: itself, classes, functions."""
    yield node
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef) and child.name[0] != "_":
                yield from documented(child)


CORE = [name for name in paths() if not under(name, *PLUGINS)]
COMMANDS = [name for name in CORE if under(name, "robench.cli")]
every = pytest.mark.parametrize("module", paths())
core = pytest.mark.parametrize("module", CORE)


def test_the_walk_finds_what_there_is() -> None:
    assert len(paths()) > 40
    assert Import("robench.gradient", False, True) in imports("robench_defenses.fgm")
    assert Import("PIL", False, False) in imports("robench.datasets.folder")
    assert Import("art.attacks", True, True) in imports("robench.attack")
    assert {"torch", "click", "numpy"} <= loaded("robench.training") | loaded("robench.cli")


@core
def test_the_harness_knows_no_plugin(module: str) -> None:
    assert [i.name for i in imports(module) if under(i.name, *PLUGINS)] == []


@pytest.mark.parametrize("kind", CONTRACTS)
def test_plugins_know_their_contract_and_each_other_not(kind: str) -> None:
    own = [name for name in paths() if under(name, kind)]
    known = {i.name for name in own for i in imports(name) if i.package in PACKAGES}
    assert {name for name in known if not under(name, kind)} <= CONTRACTS[kind]


@pytest.mark.parametrize("module", LIGHT)
def test_importing_what_everything_imports_costs_little(module: str) -> None:
    assert loaded(module) & HEAVY <= LIGHT[module]


@pytest.mark.parametrize("module", COMMANDS)
def test_commands_import_the_harness_only_when_they_run(module: str) -> None:
    allowed = {"click", "robench.errors", "robench.plugins", "robench.settings"}
    for one in imports(module):
        if one.top and not one.typing and one.package not in sys.stdlib_module_names:
            assert one.name in allowed or under(one.name, "robench.cli"), one.name
    assert not loaded(module) & HEAVY


@every
def test_a_store_is_known_to_who_opens_it(module: str) -> None:
    if not under(module, STORE):
        known = [one for one in imports(module) if under(one.name, STORE)]
        assert not known or module in OPENERS
        assert all(one.name == f"{STORE}.opening" and not one.top for one in known)


@every
def test_art_is_the_attacks_business(module: str) -> None:
    if not under(module, "robench_attacks", "robench.estimator"):
        assert [i for i in imports(module) if i.package == "art" and not i.typing] == []


@every
def test_nothing_undeclared_is_imported(module: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    extra = optional["peers"] if under(module, ADAPTERS) else []
    extra = [*extra, "robustbench"] if under(module, ZOOS) else extra
    extra = optional["ray"] if module == CLUSTER else extra
    declared = " ".join([*project["dependencies"], *extra])
    names = {
        "adv_lib": "adv-lib",
        "art": "adversarial-robustness-toolbox",
        "sklearn": "scikit-learn",
    }
    names |= {"PIL": "pillow", "yaml": "pyyaml"}
    for one in imports(module):
        assert not (one.top and one.package in LATE)
        if one.package not in sys.stdlib_module_names and one.package not in PACKAGES:
            assert names.get(one.package, one.package) in declared


@core
def test_the_harness_says_no_plugin_s_name_but_as_a_default(module: str) -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    names = {name for group in points.values() for name in group}
    assert {"pgn", "cw", "digits", "convpool"} <= names
    names -= {"torchvision"}  # a package's name, too
    names -= {"digits"} if module == "robench.cli.demo" else set()  # what it shows
    tree = trees()[module]
    allowed = {id(value) for node in ast.walk(tree) for value in _defaults(node)}
    said = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in names and id(node) not in allowed
    ]
    assert said == []


def test_no_two_modules_need_each_other() -> None:
    graph = {
        name: {i.name for i in imports(name) if i.top and not i.typing and i.name in paths()}
        for name in paths()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


@every
def test_files_and_functions_are_short(module: str) -> None:
    assert len(paths()[module].read_text().splitlines()) < 300
    for node in ast.walk(trees()[module]):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 50, node.name


def test_files_of_tests_and_benchmarks_are_short() -> None:
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    assert len(files) > 100
    assert [one.name for one in files if len(one.read_text().splitlines()) >= 300] == []


@every
def test_public_names_are_documented(module: str) -> None:
    for node in documented(trees()[module]):
        assert isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        assert ast.get_docstring(node), getattr(node, "name", module)


@every
def test_modules_are_named_by_an_idea(module: str) -> None:
    assert module.rpartition(".")[2] not in {"base", "common", "helpers", "misc", "util", "utils"}
