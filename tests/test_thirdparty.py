"""Distributions of other people: installed, found, run, and kept from doing harm."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

JITTER = Path(__file__).parents[1] / "examples" / "robench-jitter"
Robench = Callable[..., subprocess.CompletedProcess[str]]


def install(project: Path, site: Path) -> None:
    """Build the distribution at `project` and install it into `site`, without any network."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-deps"]
    command += ["--no-build-isolation", "--python", sys.executable, "--target", str(site)]
    subprocess.run([*command, str(project)], check=True, capture_output=True)


def package(project: Path, defense: str, source: str) -> Path:
    """Write a distribution, named as its folder, that registers `defense`; return the folder."""
    module = project.name.replace("-", "_")
    text = (JITTER / "pyproject.toml").read_text()
    text = text.replace('jitter = "robench_jitter', f'{defense} = "{module}')
    text = text.replace("robench-jitter", project.name).replace("robench_jitter", module)
    project.mkdir()
    (project / "pyproject.toml").write_text(text)
    (project / f"{module}.py").write_text(source)
    return project


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder that robench-jitter is installed in."""
    site = tmp_path / "site"
    install(JITTER, site)
    return site


@pytest.fixture
def robench(site: Path) -> Robench:
    """Return the command line of a process that sees `site`."""
    paths = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *map(str, arguments)]
        environment = os.environ | {"PYTHONPATH": paths}
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    return run


def test_registry_finds_an_installed_defense(robench: Robench) -> None:
    code = (
        "from robench.plugins import DEFENSES; print(*DEFENSES.names()); "
        "print(DEFENSES.get('jitter').cls().sigma)"
    )
    result = robench("-c", code)
    names, sigma = result.stdout.splitlines()
    assert {"jitter", "baseline", "pgn"} <= set(names.split())
    assert sigma == "0.25"


def test_command_line_trains_an_installed_defense(robench: Robench, tmp_path: Path) -> None:
    result = robench(
        *("-m", "robench", "train", "--defense", "jitter", "--dataset", "digits"),
        *("--epochs", 1, "--width", 0.1, "--set", "sigma=0.1", "--runs", tmp_path / "runs"),
    )
    assert result.returncode == 0, result.stderr
    (done,) = (tmp_path / "runs").glob("*/DONE")
    spec = json.loads((done.parent / "manifest.json").read_text())["spec"]
    assert (spec["defense"], spec["settings"]) == ("jitter", {"sigma": 0.1, "clean": 0.0})


def test_broken_plugin_is_a_warning_that_names_it(
    robench: Robench, site: Path, tmp_path: Path
) -> None:
    broken = package(tmp_path / "robench-broken", "broken", "import not_there\n")
    install(broken, site)
    result = robench("-m", "robench", "ls")
    assert result.returncode == 0, result.stderr
    assert "robench-broken" in result.stderr
    assert "not_there" in result.stderr
    assert "Traceback" not in result.stderr
    assert "jitter" in result.stdout


def test_two_plugins_of_one_name_are_an_error_that_names_both(
    robench: Robench, site: Path, tmp_path: Path
) -> None:
    source = (JITTER / "robench_jitter.py").read_text()
    install(package(tmp_path / "robench-shiver", "jitter", source), site)
    for command in (["ls"], ["train", "--defense", "jitter", "--runs", tmp_path / "runs"]):
        result = robench("-m", "robench", *command)
        assert result.returncode == 2, result.stderr
        assert "robench-jitter" in result.stderr
        assert "robench-shiver" in result.stderr
        assert "Traceback" not in result.stderr
