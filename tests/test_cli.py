"""The command line: what each command prints, writes and exits with."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import tiny
from robench.cli import COMMANDS, cli
from robench.plugins import REGISTRIES
from robench.runs import read_runs


def process(
    *arguments: object, path: Path | None = None, piped: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `python -m robench`, with the packages under `path` first, its output into `piped`."""
    words = [sys.executable, "-m", "robench", *map(str, arguments)]
    line = shlex.join(words) + (f" | {piped}" if piped else "")
    paths = filter(None, [str(path or ""), os.environ.get("PYTHONPATH")])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], env=environment, capture_output=True, text=True
    )


def test_help_lists_the_commands_and_imports_nothing_heavy() -> None:
    code = (
        "import atexit, sys; sys.argv = ['robench', '--help'];"
        "atexit.register(lambda: print('torch' in sys.modules, 'numpy' in sys.modules));"
        "from robench.cli import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0
    for name in ("ls", "train", "eval", "report", "demo", "doctor"):
        assert f"\n  {name} " in ended.stdout
    assert ended.stdout.splitlines()[-1] == "False False"


def test_an_interrupt_after_the_end_is_no_traceback() -> None:
    code = (
        "import atexit, os, signal, sys; sys.argv = ['robench', '--version'];"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT));"
        "from robench.cli import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_nothing_asked_for_shows_the_help() -> None:
    bare = tiny.robench()
    assert (bare.code, bare.err) == (0, "")
    assert bare.out == tiny.robench("--help").out


@pytest.mark.parametrize("group", ["leaderboard", "bench"])
def test_a_group_without_a_command_shows_its_help(group: str) -> None:
    bare = tiny.robench(group)
    assert (bare.code, bare.err) == (0, "")
    assert bare.out == tiny.robench(group, "--help").out


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("seed=3", "fgm has no setting 'seed'; it is an option: --seed 3. Its settings: eps"),
        ("epochs=3", "it is an option: --epochs 3."),
        ("learning_rate=1e-3", "it is an option: --lr 1e-3."),
        ("batch_size=64", "it is an option: --batch-size 64."),
        ("model.runs=a b", "it is an option: --runs 'a b'."),
        ("epss=3", "fgm has no setting 'epss'; did you mean 'eps'? Its settings: eps"),
    ],
)
def test_a_setting_that_is_an_option_is_told_as_one(pair: str, said: str, tmp_path: Path) -> None:
    ended = tiny.robench("train", "--defense", "fgm", "--set", pair, "--runs", tmp_path)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert said in ended.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    ended = CliRunner().invoke(cli, [command, "--help"])
    assert ended.exit_code == 0
    assert ended.output.startswith(f"Usage: cli {command} [OPTIONS]")


def test_version() -> None:
    ended = CliRunner().invoke(cli, ["--version"])
    assert ended.exit_code == 0
    assert ended.output.startswith("robench, version ")


def test_ls_tells_every_plugin_with_its_settings() -> None:
    ended = CliRunner().invoke(cli, ["ls"])
    assert ended.exit_code == 0
    for registry in REGISTRIES:
        assert f"{registry.kind}s" in ended.output
        for name in registry.names():
            assert f"\n  {name} " in ended.output
    for setting in ("c_l=50.0", "preset=code  (code or paper)", "through_attack=false"):
        assert f"  {setting}\n" in ended.output


def test_ls_of_one_kind() -> None:
    ended = CliRunner().invoke(cli, ["ls", "attacks"])
    assert "deepfool" in ended.output
    assert "cifar10" not in ended.output


def test_train_tells_every_epoch_and_skips_what_is_finished(tints: Path, tmp_path: Path) -> None:
    words = ["train", *map(str, tiny.options(tints, tmp_path, defense="fgm", epochs=2))]
    first = CliRunner().invoke(cli, words)
    assert first.exit_code == 0, first.output
    (run,) = read_runs(tmp_path)
    folder = f"{tmp_path / run.key}"
    lines = first.output.splitlines()
    assert lines[0] == folder
    assert [line.split("  ")[0] for line in lines[1:]] == ["epoch 1/2", "epoch 2/2"]
    assert f"accuracy {run.final.accuracy:.4f}" in lines[2]
    assert CliRunner().invoke(cli, words).output == f"{folder} is finished already\n"


def test_width_is_short_for_the_model_s_setting(tints: Path, tmp_path: Path) -> None:
    for words in (["--width", "0.1"], ["--set", "model.width=0.1"]):
        rest = tiny.options(tints, tmp_path, defense="baseline")
        at = rest.index("--width")
        del rest[at : at + 2]
        assert CliRunner().invoke(cli, ["train", *map(str, rest), *words]).exit_code == 0
    (run,) = read_runs(tmp_path)
    assert run.spec.model_settings == {"width": 0.1}


def test_train_eval_report_check(tints: Path, tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "leaderboard"
    for defense in ("baseline", "fgm"):
        assert tiny.robench("train", *tiny.options(tints, runs, defense=defense)).code == 0
    target = max(run.final.accuracy for run in read_runs(runs))
    words = ["eval", "--matched-accuracy", target, "--runs", runs, "--data-dir", tints]
    words += ["--attack", "fgm", "--images", 6, "--set", "fgm.eps=0.4"]
    evaluated = tiny.robench(*words)
    assert evaluated.code == 0, evaluated.err
    assert "final checkpoint, step 2 of folder-" in evaluated.out
    assert "source  epoch 1  accuracy " in evaluated.out
    for side in ("white-box", "black-box"):
        assert f"  fgm {side}  6 images  " in evaluated.out
    again = tiny.robench(*words).out
    assert again.count("6 images  there already") == again.count("  6 images  ") > 0
    assert tiny.robench("report", "--runs", runs, "--out", out).out == f"{out / 'README.md'}\n"
    page = (out / "README.md").read_text()
    assert "baseline" in page
    fresh = tiny.robench("report", "--out", out, "--check")
    assert (fresh.code, fresh.err) == (0, "")
    (out / "README.md").write_text(page + "more\n")
    stale = tiny.robench("report", "--out", out, "--check")
    assert stale.code == 1
    assert stale.err == "stale: README.md differs from its records\n"
    assert tiny.robench("report", "--runs", tmp_path / "none", "--out", out).code == 0
    assert (out / "README.md").read_text() == page  # from the records alone


def test_exit_codes_of_the_process(tmp_path: Path) -> None:
    out = tmp_path / "leaderboard"
    assert process("report", "--out", out, "--runs", tmp_path).returncode == 0
    (out / "README.md").write_text("by hand\n")
    stale = process("report", "--out", out, "--check")
    assert (stale.returncode, stale.stderr.count("\n")) == (1, 1)
    wrong = process("trian")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "'trian'" in wrong.stderr


def test_reader_that_leaves_early_is_no_defect() -> None:
    ended = process("ls", "datasets", piped="head -n 1")
    assert ended.stdout == "datasets\n"
    assert "defect" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_demo_trains_nothing_before_all_its_defenses_are_known(tmp_path: Path) -> None:
    words = ["demo", "--out", tmp_path / "demo", "--defense", "baseline", "--defense", "nobody"]
    assert tiny.robench(*words).code == 2
    assert not (tmp_path / "demo").exists()


def test_demo_says_what_it_does() -> None:
    ended = CliRunner().invoke(cli, ["demo", "--help"])
    assert ended.exit_code == 0
    for word in ("--out", "--device", "Train some defenses"):
        assert word in ended.output
