"""What is installed is what was declared: the lock, the entry points, the wheel, the imports."""

import re
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import is_dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest

from robench.architecture import Architecture
from robench.attack import Attack
from robench.dataset import Dataset
from robench.defense import Defense
from robench.peer import Peer
from robench.zoo import Zoo

ROOT = Path(__file__).parents[1]
CONTRACTS = {
    "robench.defenses": Defense,
    "robench.attacks": Attack,
    "robench.datasets": Dataset,
    "robench.models": Architecture,
    "robench.peers": Peer,
    "robench.zoos": Zoo,
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
POINTS = [
    (group, name, target)
    for group, points in PROJECT["entry-points"].items()
    for name, target in points.items()
]


def locked() -> dict[str, str]:
    """Return the text of every requirement of the lock, by name and marker."""
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return {line.split("--hash")[0].strip(): line for line in lines}


def test_lock_names_no_registry() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"://|--index|--extra-index|--find-links|^-", text, re.MULTILINE)


def test_lock_pins_and_hashes_every_requirement() -> None:
    assert locked()
    for requirement, line in locked().items():
        assert re.match(r"[a-z0-9-]+==[^ ]+( ; .+)?$", requirement)
        assert re.search(r"--hash=sha256:[0-9a-f]{64}( |$)", line), requirement


def test_lock_holds_what_the_project_declares() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    declared = [*PROJECT["dependencies"], *groups["dev"], *groups["docs"]]
    names = {re.split(r"[<>=~ ]", requirement)[0] for requirement in declared}
    assert names <= {requirement.split("==")[0] for requirement in locked()}


def test_installed_entry_points_are_the_declared_ones() -> None:
    points = distribution("robench").entry_points
    installed = {(p.group, p.name, p.value) for p in points if p.group != "console_scripts"}
    assert installed == set(POINTS)


@pytest.mark.parametrize(("group", "name", "target"), POINTS)
def test_entry_point_keeps_its_contract(group: str, name: str, target: str) -> None:
    (point,) = distribution("robench").entry_points.select(group=group, name=name)
    plugin = point.load()
    assert f"{plugin.__module__}:{plugin.__qualname__}" == target
    assert isinstance(plugin(), CONTRACTS[group])  # abstract classes and missing defaults fail
    assert is_dataclass(plugin)


def test_wheel_holds_the_three_packages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    for package in ("robench", "defenses/robench_defenses", "attacks/robench_attacks"):
        top = (ROOT / package).parent
        sources = [*(ROOT / package).rglob("*.py"), ROOT / package / "py.typed"]
        sources += (ROOT / package).rglob("*.txt")  # what `robench new` writes from
        sources += (ROOT / package).rglob("templates/*")  # of the page in HTML
        assert {str(source.relative_to(top)) for source in sources} <= held
    info = f"robench-{PROJECT['version']}.dist-info"
    assert {f"{info}/entry_points.txt", f"{info}/licenses/LICENSE"} <= held
    assert {name.split("/")[0] for name in held} == {
        "robench",
        "robench_defenses",
        "robench_attacks",
        info,
    }


def test_command_line_imports_nothing_heavy() -> None:
    code = "import sys, robench, robench.cli, robench.plugins; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    modules = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "robench.cli" in modules
    assert not {"torch", "torchvision", "art", "seaborn", "sklearn"} & set(modules)
