"""Plugins by name, by file and by import string, and one clear line for each that is none."""

import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from robench.errors import UserError
from robench.plugins import ATTACKS, DATASETS, DEFENSES, MODELS, REGISTRIES, Registry
from robench.settings import configure

SOURCE = '''
from dataclasses import dataclass
from torch.nn.functional import cross_entropy
from robench.defense import Defense

@dataclass
class Mine(Defense):
    """A defense in a file."""
    eps: float = 0.25

    def loss(self, model, x, y):
        return cross_entropy(model(x + self.eps), y)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def register(site: Path, name: str, points: str, module: str, source: str = SOURCE) -> None:
    """Write what an installed distribution looks like, with entry points for defenses."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[robench.defenses]\n{points}\n")
    (site / f"{module}.py").write_text(source)


def test_what_is_installed_is_listed_in_order() -> None:
    assert {"baseline", "fgm", "pgd", "pgn"} <= set(DEFENSES.names())
    assert {"fgm", "mim", "deepfool", "cw"} <= set(ATTACKS.names())
    assert {"cifar10", "cifar100", "digits", "folder"} <= set(DATASETS.names())
    assert "convpool" in MODELS.names()
    for registry in REGISTRIES:
        assert registry.names() == sorted(registry.names())
        assert [plugin.name for plugin in registry.available()] == registry.names()


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: str(registry.kind))
def test_a_name_gives_its_class(registry: Registry[object]) -> None:
    for name in registry.names():
        assert registry.get(name).name == name


def test_a_misspelt_name_names_the_nearest_and_all() -> None:
    with pytest.raises(UserError) as caught:
        DEFENSES.get("pgm")
    said = str(caught.value)
    assert said.startswith("no defense called 'pgm'; did you mean 'pg")
    assert said.endswith(f"Installed: {', '.join(DEFENSES.names())}")


def test_a_name_like_no_other_names_all() -> None:
    with pytest.raises(
        UserError, match=r"no attack called 'zzz'\. Installed: apgd, cw, ddn, deepfool, fgm"
    ):
        ATTACKS.get("zzz")


@pytest.mark.parametrize("name", ["./x.py:Mine", "./x.py", "x.py"])
def test_a_file_is_a_plugin(folder: Path, name: str) -> None:
    (folder / "x.py").write_text(SOURCE)
    plugin = DEFENSES.get(name)
    assert plugin.name.startswith("x:Mine@")
    defense = configure(plugin.cls, {"eps": "0.5"}, plugin.name)
    loss = defense.loss(nn.Flatten(), torch.zeros(2, 1, 1, 3), torch.tensor([0, 1]))
    assert float(loss) == pytest.approx(1.0986, abs=1e-4)


def test_an_absolute_path_is_the_same_plugin(folder: Path) -> None:
    (folder / "x.py").write_text(SOURCE)
    assert DEFENSES.get(f"{folder}/x.py:Mine").name == DEFENSES.get("x.py").name


def test_an_edited_file_is_another_plugin(folder: Path) -> None:
    (folder / "x.py").write_text(SOURCE)
    before = DEFENSES.get("./x.py")
    (folder / "x.py").write_text(SOURCE.replace("0.25", "0.75"))  # of one length, at one time
    after = DEFENSES.get("./x.py")
    assert before.name != after.name
    assert [configure(p.cls, {}, p.name).__dict__["eps"] for p in (before, after)] == [0.25, 0.75]
    (folder / "x.py").write_text(SOURCE)
    assert DEFENSES.get("./x.py").name == before.name
    assert [path.name for path in folder.iterdir()] == ["x.py"]  # no bytecode left beside it


def test_a_missing_file_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file \./none\.py to load a defense from"):
        DEFENSES.get("./none.py:Mine")


def test_a_missing_class_is_named(folder: Path) -> None:
    (folder / "x.py").write_text(SOURCE)
    with pytest.raises(UserError, match=r"x\.py has no class 'Yours'"):
        DEFENSES.get("x.py:Yours")


def test_a_file_of_two_classes_asks_for_one(folder: Path) -> None:
    (folder / "x.py").write_text(SOURCE + SOURCE.replace("Mine", "Yours"))
    with pytest.raises(
        UserError, match=r"2 defense classes \(Mine, Yours\); name one: x\.py:CLASS"
    ):
        DEFENSES.get("x.py")
    assert DEFENSES.get("x.py:Yours").name.startswith("x:Yours@")


def test_a_file_without_a_class_says_so(folder: Path) -> None:
    (folder / "x.py").write_text("from robench_defenses.fgm import FGM\n")
    with pytest.raises(UserError, match=r"0 defense classes \(none\)"):
        DEFENSES.get("x.py")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("x = '\\0'\0", "SyntaxError|ValueError"),
    ],
)
def test_a_file_that_does_not_load_says_why(folder: Path, source: str, said: str) -> None:
    (folder / "x.py").write_text(source)
    with pytest.raises(UserError, match=rf"the defense file x\.py does not load \(({said})"):
        DEFENSES.get("x.py")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("@dataclass\n", "", "Mine lacks @dataclass"),
        ("(Defense)", "", r"not a class derived from robench\.defense:Defense"),
        ("def loss", "def lose", "Mine lacks loss"),
        ("float = 0.25", "list = None", r"Mine\.eps is a <class 'list'>"),
        ("float = 0.25", "float", r"Mine\.eps has no default"),
        ("float = 0.25", "'Decimal' = 0", "Mine: name 'Decimal' is not defined"),
    ],
)
def test_a_class_that_is_no_plugin_is_refused(folder: Path, old: str, new: str, said: str) -> None:
    assert SOURCE.count(old) == 1
    (folder / "x.py").write_text(SOURCE.replace(old, new))
    with pytest.raises(UserError, match=rf"^x\.py:Mine is no defense: {said}"):
        DEFENSES.get("x.py:Mine")


def test_what_is_no_class_is_refused(folder: Path) -> None:
    (folder / "x.py").write_text(SOURCE)
    with pytest.raises(UserError, match=r"x\.py:cross_entropy is no defense: not a class derived"):
        DEFENSES.get("x.py:cross_entropy")


def test_an_attack_is_no_defense() -> None:
    with pytest.raises(UserError, match=r"is no defense: not a class derived"):
        DEFENSES.get("robench_attacks.fgm:FGM")


def test_an_import_string_is_a_plugin() -> None:
    plugin = DEFENSES.get("robench_defenses.fgm:FGM")
    assert plugin.cls is DEFENSES.get("fgm").cls
    assert plugin.name == "robench_defenses.fgm:FGM"


@pytest.mark.parametrize("name", ["no_such_module:X", "robench_defenses.fgm:None", "not a name:X"])
def test_an_import_string_that_leads_nowhere_says_why(name: str) -> None:
    with pytest.raises(UserError, match=rf"no defense at '{name}' \(\w+Error: "):
        DEFENSES.get(name)


def test_a_registered_stranger_is_listed_and_loads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(folder, "kind-stranger", "mine = kindly:Mine", "kindly")
    monkeypatch.syspath_prepend(folder)
    assert "mine" in DEFENSES.names()
    assert DEFENSES.get("mine").cls.__name__ == "Mine"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('out of order')", "RuntimeError: out of order"),
        (SOURCE.replace("Mine", "Other"), "AttributeError"),
        (SOURCE.replace("@dataclass", ""), "lacks @dataclass"),
        (SOURCE.replace("float = 0.25", "dict = None"), "eps is a <class 'dict'>"),
    ],
)
def test_a_broken_stranger_is_a_warning_that_names_its_distribution(
    folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    register(folder, "broken-stranger", "mine = brokenly:Mine", "brokenly", source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "brokenly", raising=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names = [plugin.name for plugin in DEFENSES.available()]
    assert "mine" not in names
    assert "pgn" in names
    (text,) = [str(warning.message) for warning in caught]
    assert "broken-stranger 1.0" in text
    assert said in text
    with pytest.raises(UserError, match=r"broken-stranger 1\.0"):
        DEFENSES.get("mine")


def test_two_of_one_name_name_both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(folder, "a-stranger", "pgn = strangely:Mine", "strangely")
    monkeypatch.syspath_prepend(folder)
    claimed = r"the defense 'pgn' is claimed by a-stranger 1\.0 and robench .*; uninstall one"
    with pytest.raises(UserError, match=claimed):
        DEFENSES.get("pgn")
    with pytest.raises(UserError, match=claimed):
        DEFENSES.available()
    assert DEFENSES.get("fgm").name == "fgm"
