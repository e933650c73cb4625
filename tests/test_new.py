"""`robench new`: packages that work as they are written, and nothing overwritten."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tiny
from robench.cli.new import KINDS
from robench.plugins import REGISTRIES

kinds = pytest.mark.parametrize("kind", KINDS)


def written(kind: str, out: Path, name: str = "my-own") -> Path:
    """Write a package under `out`; return its folder."""
    ended = tiny.robench("new", kind, name, "--out", out)
    assert (ended.code, ended.err) == (0, ""), ended.err
    return out / name


@kinds
def test_the_package_s_own_tests_pass(kind: str, tmp_path: Path) -> None:
    folder = written(kind, tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
    assert "passed" in ended.stdout


@kinds
def test_the_entry_point_names_the_class_that_the_file_holds(kind: str, tmp_path: Path) -> None:
    folder = written(kind, tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    group = KINDS[kind].group
    assert project["entry-points"] == {group: {"my-own": "my_own:MyOwn"}}
    plugin = KINDS[kind].get(f"{folder / 'my_own.py'}")
    assert plugin.name.startswith("my_own:MyOwn@")
    assert plugin.cls.__doc__


@kinds
def test_the_package_is_formatted_and_has_no_lint(kind: str, tmp_path: Path) -> None:
    folder = written(kind, tmp_path)
    for words in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache", "."]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr


@kinds
def test_what_is_printed_next_is_in_the_readme_too(kind: str, tmp_path: Path) -> None:
    ended = tiny.robench("new", kind, "my-own", "--out", tmp_path)
    lines = ended.out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'my-own'}: pyproject.toml, my_own.py, tests/")
    file = str(tmp_path / "my-own" / "my_own.py")
    assert lines[1:3] == ["Next:", f"  robench check {file}"]
    readme = (tmp_path / "my-own" / "README.md").read_text()
    for line in lines[2:]:
        assert line.strip().replace(file, "my_own.py") in readme.splitlines()


def test_the_packages_name_no_address_and_leave_no_placeholder(tmp_path: Path) -> None:
    for kind in KINDS:
        folder = written(kind, tmp_path / kind)
        for path in folder.rglob("*.*"):
            assert "://" not in path.read_text()
            assert "$" not in path.read_text()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("a b", "does not name a Python module"),
        ("../up", "does not name a Python module"),
        ("1st", "does not name a Python module"),
        ("My", "does not name a Python module"),
        ("class", "does not name a Python module"),
        ("none", "does not name a Python module"),
        ("a" * 61, "does not name a Python module"),
        ("", "does not name a Python module"),
        ("json", "something else already"),
        ("torch", "something else already"),
        ("defense", "something else already"),
        ("pgn", "there is a defense 'pgn' already"),
        ("pgn-ablation", "there is a defense 'pgn-ablation' already"),
    ],
)
def test_a_name_that_will_not_do_is_refused(name: str, part: str, tmp_path: Path) -> None:
    ended = tiny.robench("new", "defense", name, "--out", tmp_path)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert part in ended.err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = written("defense", tmp_path)
    (folder / "my_own.py").write_text("mine\n")
    before = tiny.snapshot(tmp_path)
    ended = tiny.robench("new", "attack", "my-own", "--out", tmp_path)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "not an empty folder" in ended.err
    assert tiny.snapshot(tmp_path) == before
    (tmp_path / "file").write_text("")
    assert tiny.robench("new", "attack", "file", "--out", tmp_path).code == 2
    (tmp_path / "empty").mkdir()
    assert tiny.robench("new", "attack", "empty", "--out", tmp_path).code == 0


def test_every_kind_that_is_trained_or_attacked_with_has_a_package() -> None:
    assert set(KINDS) == {one.kind for one in REGISTRIES} - {"peer", "zoo"}
