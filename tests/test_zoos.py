"""Networks of a zoo: RobustBench's, by a package that has its tables and functions and no more."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

import robench
import strangers
import tiny
from robench.errors import UserError
from robench.plugins import ZOOS
from robench.runs import read_json
from robench.zoos.robustbench import RobustBench

ENUMS = """
from enum import Enum

class BenchmarkDataset(Enum):
    cifar_10 = "cifar10"
    cifar_100 = "cifar100"
    imagenet = "imagenet"

class ThreatModel(Enum):
    Linf = "Linf"
    L2 = "L2"
"""
TABLES = """
import strangers
from robustbench.model_zoo.enums import BenchmarkDataset, ThreatModel

linf = {"Ada2020": {"model": strangers.tints, "gdrive_id": "abc"},
        "Pair2020": {"model": strangers.tints, "gdrive_id": ["abc", "def"]},
        "Timm2022": {"model": strangers.tints, "gdrive_id": None}}
l2 = {"Ada2019": {"model": strangers.tints, "gdrive_id": "abc"},
      "Andriushchenko2020Understanding": {"model": strangers.tints, "gdrive_id": "moments"},
      "Gone2020": {"model": strangers.tints, "gdrive_id": "gone"}}
model_dicts = {BenchmarkDataset.cifar_10: {ThreatModel.Linf: linf, ThreatModel.L2: l2},
               BenchmarkDataset.cifar_100: {ThreatModel.Linf: {}, ThreatModel.L2: {}},
               BenchmarkDataset.imagenet: {}}
"""
FETCH = """
import shutil

def load_model(*given, **asked):
    raise AssertionError("it would unpickle what it downloads")

def download_gdrive_new(gdrive_id, fname_save):
    print("downloading")
    with open("fetched.txt", "a") as told:
        told.write(gdrive_id + "\\n")
    shutil.copy(f"drive/{gdrive_id}", fname_save)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder that the package serves weights from; it is imported from beside it."""
    zoo = tmp_path / "there" / "robustbench" / "model_zoo"
    zoo.mkdir(parents=True)
    (zoo.parent / "__init__.py").touch()
    (zoo.parent / "utils.py").write_text(FETCH)
    (zoo / "enums.py").write_text(ENUMS)
    (zoo / "__init__.py").write_text(TABLES)
    drive = tmp_path / "drive"
    drive.mkdir()
    weights = strangers.tints().state_dict()
    torch.save({"state_dict": {f"module.{n}": one for n, one in weights.items()}}, drive / "abc")
    torch.save({"last": weights, "best": {n: 0 * w for n, w in weights.items()}}, drive / "moments")
    monkeypatch.syspath_prepend(tmp_path / "there")
    monkeypatch.chdir(tmp_path)
    before = _out_of_the_way()
    yield drive
    _out_of_the_way()
    sys.modules.update(before)


def _out_of_the_way() -> dict[str, ModuleType]:
    """Take what was imported of the package out of the modules, and return it."""
    names = [name for name in sys.modules if name.partition(".")[0] == "robustbench"]
    return {name: sys.modules.pop(name) for name in names}


def fetched() -> list[str]:
    """Return what was downloaded."""
    told = Path("fetched.txt")
    return told.read_text().split() if told.exists() else []


def test_a_network_of_the_zoo_is_evaluated_with_weights_read_here(
    package: Path, tints: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        frame = robench.evaluate(
            "robustbench:cifar10/L2/Ada2019",
            dataset="folder",
            data_dir=tints,
            runs=tmp_path / "runs",
            attacks=("fgm",),
            images=6,
            audit=False,
            device="cpu",
        )
        assert frame["variant"].tolist() == ["Ada2019"]
        assert frame["benign"].tolist() == [1.0]
    assert fetched() == ["abc"]
    (manifest,) = (tmp_path / "runs" / "imported").glob("*/manifest.json")
    record = read_json(manifest)
    assert record["factory"] == "robustbench:cifar10/L2/Ada2019"
    assert record["origin"] == "Ada2019.pt"
    assert any("'module.'" in note for note in record["notes"])


def test_the_entry_of_a_file_is_the_one_robustbench_takes(package: Path, tmp_path: Path) -> None:
    found = RobustBench().fetch("Andriushchenko2020Understanding", "cifar10", tmp_path / "cache")
    assert found.entry == "last"
    assert found.weights.read_bytes() == (package / "moments").read_bytes()


def test_threat_models_stand_before_the_name(package: Path, tmp_path: Path) -> None:
    there = RobustBench().fetch("Linf/Ada2020", "cifar10", tmp_path / "cache")
    assert there.weights == tmp_path / "cache" / "cifar10" / "Linf" / "Ada2020.pt"


@pytest.mark.parametrize(
    ("name", "dataset", "said"),
    [
        ("Ada2020", "cifar10", "no L2 network 'Ada2020' of cifar10; it has Linf/Ada2020"),
        ("Nobody", "cifar10", "it has Ada2019, Andriushchenko2020Understanding, Gone2020"),
        ("Linf/Pair2020", "cifar10", "not one network with one file"),
        ("Linf/Timm2022", "cifar10", "not one network with one file"),
        ("L1/Ada2020", "cifar10", "no threat model 'L1'; it has Linf, L2"),
        ("Ada2019", "folder", "say so: robustbench:cifar10/L2/Ada2019"),
        ("imagenet/L2/Ada2019", "cifar10", "no networks for 'imagenet'"),
        ("../../L2/Ada2019", "cifar10", "not of the form"),
        ("../L2/Ada2019", "cifar10", "no networks for '..'"),
    ],
)
def test_what_the_zoo_lacks_is_told(
    package: Path, tmp_path: Path, name: str, dataset: str, said: str
) -> None:
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        RobustBench().fetch(name, dataset, tmp_path / "cache")
    assert fetched() == []


def test_without_a_network_the_message_says_where_the_file_goes(
    package: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"offline\? Put the file with .* gone at .*Gone2020\.pt"):
        RobustBench().fetch("Gone2020", "cifar10", tmp_path / "cache")
    assert not [*(tmp_path / "cache").rglob("*.p*")]


def test_where_the_package_is_missing_the_message_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "robustbench", None)
    with pytest.raises(UserError, match="needs the package robustbench, which does not import"):
        RobustBench().fetch("Ada2019", "cifar10", tmp_path)


def test_zoos_are_plugins_and_listed() -> None:
    assert ZOOS.get("robustbench").cls is RobustBench
    ended = tiny.robench("ls", "zoos")
    assert ended.code == 0
    assert "robustbench" in ended.out
