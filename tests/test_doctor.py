"""`robench doctor`: what is here, what is wrong, and the command that mends it."""

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import tiny
from robench import diagnosis
from robench.cli.doctor import HEAVY
from robench.diagnosis import Finding
from robench.plugins import DATASETS, REGISTRIES


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that packages are found in first; the real ones are imported already."""
    assert list(diagnosis.imports(HEAVY)) == []
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_healthy_installation(tints: Path, tmp_path: Path) -> None:
    ended = tiny.robench("doctor", "--data-dir", tints, "--runs", tmp_path / "runs")
    assert (ended.code, ended.err) == (0, ""), ended.out
    lines = {line[:32].strip(): line[32:] for line in ended.out.splitlines()}
    assert lines["torch"] == version("torch")
    assert lines["device"]
    assert lines["training"] in ("in bf16", "in float32")
    for registry in REGISTRIES:
        assert set(registry.names()) <= set(lines[f"{registry.kind}s"].split(", "))
    assert lines["data digits"] == lines["data folder"] == "found"
    assert lines["data cifar10"] == f"not in {tints}"
    assert lines["runs"].startswith(f"{tmp_path / 'runs'} can be written to, ")
    assert ended.out.splitlines()[-1] == "nothing is wrong"
    assert not (tmp_path / "runs").exists()


def test_torchvision_of_another_torch_is_told_with_its_cure(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "operator torchvision::nms does not exist"
    (site / "torchvision.py").write_text(f"raise RuntimeError({text!r})\n")
    monkeypatch.delitem(sys.modules, "torchvision")
    ended = tiny.robench("doctor", "--runs", site)
    assert (ended.code, ended.err) == (1, "")
    (line,) = (line for line in ended.out.splitlines() if "WRONG" in line)
    assert line.startswith(f"torchvision {'':<20}WRONG: does not import ({text})")
    assert "built for another torch; mend it: " in line
    assert line.endswith(" install --force-reinstall torch torchvision")


def test_torch_that_does_not_import_ends_the_look(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "torch.py").write_text("raise ImportError('no libtorch here')\n")
    monkeypatch.delitem(sys.modules, "torch")
    ended = tiny.robench("doctor", "--runs", site)
    assert (ended.code, ended.err) == (1, "")
    assert "WRONG: does not import (no libtorch here); mend it: " in ended.out
    assert "\ndevice" not in ended.out
    assert ended.out.splitlines()[-1] == "1 wrong"


def test_broken_plugin_is_named_with_its_distribution(site: Path) -> None:
    info = site / "robench_torn-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: robench-torn\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[robench.defenses]\ntorn = robench_torn:Torn\n")
    (site / "robench_torn.py").write_text("import nothing_of_that_name\n")
    ended = tiny.robench("doctor", "--runs", site)
    assert ended.code == 1
    (line,) = (line for line in ended.out.splitlines() if "WRONG" in line)
    assert line.startswith("defense torn ")
    assert "robench-torn 1.2" in line
    assert "nothing_of_that_name" in line
    assert line.endswith("uninstall robench-torn")
    assert ended.out.splitlines()[-1] == "1 wrong"


def test_runs_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("no folder")
    found = diagnosis.storage(place / "runs")
    assert "cannot be written to" in found.text
    assert found.mend == "robench train --runs ANOTHER_FOLDER"


@pytest.mark.parametrize(
    ("found", "requirement", "fits"),
    [
        ("1.20.1", "adversarial-robustness-toolbox<2,>=1.18", True),
        ("1.17.9", "adversarial-robustness-toolbox<2,>=1.18", False),
        ("2.0", "adversarial-robustness-toolbox<2,>=1.18", False),
        ("1.18", "adversarial-robustness-toolbox<2,>=1.18.0", True),
        ("2.4.0+cu121", "torch>=2.4", True),
        ("2.10.0a0", "torch>=2.4", True),
        ("0.13.1", "seaborn>=0.13.2", False),
        ("3", "anything", True),
    ],
)
def test_bounds(found: str, requirement: str, fits: bool) -> None:
    assert diagnosis.within(found, requirement) == fits


def test_package_that_is_too_old(site: Path) -> None:
    info = site / "click-7.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: click\nVersion: 7.0\n")
    found = {finding.subject: finding for finding in diagnosis.packages()}
    assert found["click"].text.startswith("7.0 does not fit, robench needs click")
    assert 'install "click' in found["click"].mend
    assert [name for name, finding in found.items() if finding.mend] == ["click"]


def test_data_sets_are_found_without_being_read(tints: Path, tmp_path: Path) -> None:
    from torchvision.datasets import CIFAR10

    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()
    cifar10 = DATASETS.get("cifar10").cls()
    for name, _ in (*CIFAR10.train_list, *CIFAR10.test_list):
        assert cifar10.found(None, tmp_path) is False
        (folder / name).write_bytes(b"")
    assert cifar10.found(None, tmp_path) is True
    assert cifar10.found(tints, tmp_path) is False
    told = {finding.subject: finding for finding in diagnosis.datasets(None, tmp_path)}
    assert told["data cifar10"] == Finding("data cifar10", "found")
    assert told["data cifar100"].text == f"not in {tmp_path}; --data-dir looks elsewhere"
    assert not any(finding.mend for finding in told.values())
