"""The workflow for a leaderboard's repository: what it may do, and whether its steps do it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import tiny
from robench.cli import COMMANDS, cli
from robench.submissions.workflow import text

WORKFLOW: dict[Any, Any] = yaml.safe_load(text())
(JOB,) = WORKFLOW["jobs"].values()
STEPS: list[dict[str, Any]] = JOB["steps"]
SCRIPTS = {step["name"]: step["run"] for step in STEPS if "run" in step}


def test_it_runs_on_pull_requests_and_may_but_read() -> None:
    triggers = WORKFLOW[True]  # YAML takes the word `on` for a truth value
    assert list(triggers) == ["pull_request"]
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in JOB
    assert "secrets" not in text()
    assert JOB["timeout-minutes"] <= 60


def test_actions_are_pinned_by_commit() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    for one in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", one)
    assert len(re.findall(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", text(), re.MULTILINE)) == len(used)


def test_the_checkout_keeps_no_credentials_and_is_not_where_robench_runs() -> None:
    (checkout,) = (step["with"] for step in STEPS if "checkout" in step.get("uses", ""))
    assert checkout["persist-credentials"] is False
    assert checkout["path"] == "board"
    assert not any("working-directory" in step for step in STEPS)
    assert "cd board" not in text()


def test_no_text_of_a_pull_request_stands_in_a_script() -> None:
    for script in SCRIPTS.values():
        assert "${{" not in script
    assert JOB["env"] == {"BASE": "${{ github.event.pull_request.base.sha }}"}


def test_its_commands_exist() -> None:
    script = SCRIPTS["Verify, merge and report"]
    calls = re.findall(r"\brobench ([a-z]+(?: add)?) ([^\n]*)", script)
    assert {name.split()[0] for name, _ in calls} == {"verify", "leaderboard", "report"}
    for name, rest in calls:
        assert name.split()[0] in COMMANDS
        said = CliRunner().invoke(cli, [*name.split(), "--help"]).output
        assert said.startswith("Usage: ")
        for option in re.findall(r"--[a-z-]+", rest):
            assert f"{option} " in said


def test_it_is_written_once_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / ".github" / "workflows" / "submissions.yml"
    assert tiny.robench("leaderboard", "workflow", "--out", path).code == 0
    assert path.read_text() == text() == tiny.robench("leaderboard", "workflow").out
    assert tiny.robench("leaderboard", "workflow", "--out", path).code == 0
    path.write_text("name: mine\n")
    done = tiny.robench("leaderboard", "workflow", "--out", path)
    assert done.code == 2
    assert "is there already, and is another" in done.err
    assert path.read_text() == "name: mine\n"


def git(board: Path, *words: str) -> str:
    """Run git as somebody, in a repository that knows nothing of this machine's settings."""
    who = [*("-c", "user.name=a"), *("-c", "user.email=a@b"), *("-c", "commit.gpgsign=false")]
    run = ["git", *who, "-C", str(board), *words]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def request_(tmp_path: Path) -> tuple[Path, str]:
    """Return a place with a checkout of a leaderboard, `board`, and the commit of its base."""
    board = tmp_path / "board"
    (board / "leaderboard").mkdir(parents=True)
    (board / "leaderboard" / "README.md").write_text("# Leaderboard\n")
    git(tmp_path, "init", "-q", str(board))
    git(board, "add", "-A")
    git(board, "commit", "-q", "-m", "base")
    return tmp_path, git(board, "rev-parse", "HEAD")


def stepped(name: str, place: Path, base: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does: bash -e, in the workspace."""
    env = {**os.environ, "BASE": base, "PATH": f"{path}{os.environ['PATH']}"}
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", SCRIPTS[name]]
    return subprocess.run(words, cwd=place, env=env, capture_output=True, text=True, check=False)


def proposed(board: Path) -> None:
    """Commit what was changed, as a pull request does."""
    git(board, "add", "-A")
    git(board, "commit", "-q", "-m", "mine")


GUARD = "Nothing but new submissions"


def test_new_submissions_pass_the_guard(request_: tuple[Path, str]) -> None:
    place, base = request_
    (place / "board" / "submissions").mkdir()
    for name in ("mine-0.70-01234567.robench", "b.robench"):
        (place / "board" / "submissions" / name).write_bytes(b"x")
    proposed(place / "board")
    done = stepped(GUARD, place, base)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "name",
    [
        *("leaderboard/README.md", "leaderboard/records/x.json", ".github/workflows/x.yml"),
        *("submissions/x.zip", "submissions/-x.robench", "submissions/a b.robench"),
        *(
            "submissions/$(touch sprung).robench",
            "submissions/a\n.robench",
            "submissions/a/b.robench",
        ),
        *("evil.py", "submissions/.robench", "link"),
    ],
)
def test_anything_else_does_not(name: str, request_: tuple[Path, str]) -> None:
    place, base = request_
    path = place / "board" / ("submissions/link.robench" if name == "link" else name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if name == "link":
        path.symlink_to("/etc/hostname")
    else:
        path.write_bytes(b"x")
    proposed(place / "board")
    done = stepped(GUARD, place, base)
    assert done.returncode == 1
    assert "::error::" in done.stdout
    assert not list(place.rglob("sprung"))


def test_a_submission_is_not_taken_away(request_: tuple[Path, str]) -> None:
    place, _ = request_
    (place / "board" / "submissions").mkdir()
    path = place / "board" / "submissions" / "a.robench"
    path.write_bytes(b"x")
    proposed(place / "board")
    base = git(place / "board", "rev-parse", "HEAD")
    path.unlink()
    proposed(place / "board")
    assert stepped(GUARD, place, base).returncode == 1


def test_the_last_step_verifies_merges_and_reports(
    request_: tuple[Path, str], submitted: Path
) -> None:
    place, base = request_
    (place / "board" / "submissions").mkdir()
    shutil.copy(submitted / "light.robench", place / "board" / "submissions" / "a.robench")
    proposed(place / "board")
    assert stepped(GUARD, place, base).returncode == 0
    (place / "bin").mkdir()
    script = f'#!/bin/sh\nexec "{sys.executable}" -m robench "$@"\n'
    (place / "bin" / "robench").write_text(script)
    (place / "bin" / "robench").chmod(0o755)
    done = stepped("Verify, merge and report", place, base, f"{place / 'bin'}:")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "leaderboard is up to date" in done.stdout
    assert "| baseline |" in (place / "board" / "leaderboard" / "README.md").read_text()
