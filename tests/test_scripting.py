"""What scripts and shells rely on: variables, JSON, quiet, completion, where to go on."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import tiny
from robench import archive
from robench.cli import COMMANDS, GOING_ON, cli, variables
from robench.plugins import ATTACKS, DEFENSES, REGISTRIES
from robench.ranking import rank
from robench.runs import read_runs
from robench.settings import declared
from robench.standings import sections


def commands() -> dict[str, click.Command]:
    """Return all commands, those of groups as `bench attacks`."""
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in COMMANDS}
    top = {name: one for name, one in found.items() if one is not None}
    inner = {
        f"{name} {word}": one
        for name, group in top.items()
        if isinstance(group, click.Group)
        for word, one in group.commands.items()
    }
    return top | inner


def options() -> Iterator[tuple[str, click.Option]]:
    """Yield every option with the command it is of."""
    for name, one in commands().items():
        for parameter in one.params:
            if isinstance(parameter, click.Option):
                yield name, parameter


def completed(*words: str) -> list[str]:
    """Return what the Tab key offers behind `words`, the last of which is begun."""
    environment = os.environ | {
        "_ROBENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": shlex.join(["robench", *words]),
        "COMP_CWORD": str(len(words)),
    }
    code = "import sys; sys.argv = ['robench']; from robench.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return ended.stdout.split()


def test_every_option_has_a_variable_of_its_own() -> None:
    names = [option.envvar[0] for _, option in options() if option.envvar]
    assert len(names) == len(list(options())) == len(set(names))
    assert {"ROBENCH_TRAIN_EPOCHS", "ROBENCH_BENCH_ATTACKS_IMAGES", "ROBENCH_EVAL_SET"} <= {*names}


def test_what_commands_share_has_a_variable_for_all() -> None:
    for shared, flag in (("RUNS", "--runs"), ("DATA_DIR", "--data-dir"), ("DEVICE", "--device")):
        for command, option in options():
            if flag in option.opts and command != "explain":  # whose --runs replaces its --out
                assert list(option.envvar or ())[1:] == [f"ROBENCH_{shared}"], (command, flag)


def test_the_command_line_goes_first_then_the_command_s_variable_then_the_shared_one(
    tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tiny.options(tints, tmp_path / "typed", defense="baseline")
    at = words.index("--runs")
    apart = words[:at] + words[at + 2 :]
    monkeypatch.setenv("ROBENCH_RUNS", str(tmp_path / "shared"))
    assert tiny.robench("train", *apart).code == 0
    monkeypatch.setenv("ROBENCH_TRAIN_RUNS", str(tmp_path / "own"))
    monkeypatch.setenv("ROBENCH_TRAIN_SET", "dataset.pad=1 dataset.flip=false")
    assert tiny.robench("train", *apart).code == 0
    assert tiny.robench("train", *words).code == 0
    for name in ("shared", "own", "typed"):
        assert len(read_runs(tmp_path / name)) == 1, name


def test_a_misspelt_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBENCH_TRAIN_EPOHCS", "3")
    ended = tiny.robench("train", "--defense", "baseline")
    assert ended.code == 2
    assert "ROBENCH_TRAIN_EPOHCS is no option of `robench train`" in ended.err
    assert "did you mean 'ROBENCH_TRAIN_EPOCHS'?" in ended.err
    assert tiny.robench("ls", "attacks").code == 0  # no business of another command's


def test_a_variable_of_no_command_is_an_error_and_doctor_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBENCH_FUZZ", "2")  # of the tests, no option
    assert tiny.robench("ls", "attacks").code == 0
    for name, meant in (
        ("ROBENCH_RUN", "ROBENCH_RUNS"),
        ("ROBENCH_TRIAN_EPOCHS", "ROBENCH_TRAIN_EPOCHS"),
    ):
        monkeypatch.setenv(name, str(tmp_path))
        said = f"{name} is no option of any command; did you mean {meant!r}?"
        ended = tiny.robench("status")
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert said in ended.err
        healthy = tiny.robench("doctor", "--runs", tmp_path)
        assert healthy.code == 1
        assert f"WRONG: {said}; mend it: unset {name}\n" in healthy.out
        monkeypatch.delenv(name)


def test_doctor_tells_a_misspelt_variable_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROBENCH_TRAIN_EPOHCS", "ROBENCH_DOCTOR_RUN"):
        monkeypatch.setenv(name, "3")
        ended = tiny.robench("doctor")
        assert (ended.code, ended.err) == (1, "")
        assert f"WRONG: {name} is no option of any command; did you mean" in ended.out
        monkeypatch.delenv(name)


def test_a_wrong_value_names_the_variable_that_it_came_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROBENCH_BENCH_ATTACKS_IMAGES", "many")
    wrong = tiny.robench("bench", "attacks")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "(from the environment variable ROBENCH_BENCH_ATTACKS_IMAGES)" in wrong.err
    typed = tiny.robench("train", "--defense", "fgm", "--epochs", "many")
    assert "environment" not in typed.err


def test_doctor_lists_the_variables_that_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBENCH_RUNS", str(tmp_path))
    assert f"ROBENCH_RUNS={tmp_path}" in tiny.robench("doctor").out


def test_ls_as_json_says_what_ls_says() -> None:
    entries = json.loads(tiny.robench("ls", "--json").out)
    there = {(registry.kind, name) for registry in REGISTRIES for name in registry.names()}
    assert {(one["kind"], one["name"]) for one in entries} <= there
    (pgn,) = (one for one in entries if (one["kind"], one["name"]) == ("defense", "pgn"))
    fields = declared(DEFENSES.get("pgn").cls)
    assert [one["name"] for one in pgn["settings"]] == [field.name for field in fields]
    assert [one["default"] for one in pgn["settings"]] == [field.default for field in fields]
    assert {one["kind"] for one in json.loads(tiny.robench("ls", "models", "--json").out)} == {
        "model"
    }


def test_eval_and_report_as_json_hold_the_numbers_of_the_records(
    tints: Path, tmp_path: Path
) -> None:
    runs, out = tmp_path / "runs", tmp_path / "leaderboard"
    for defense in ("baseline", "fgm"):
        tiny.robench("train", *tiny.options(tints, runs, defense=defense))
    target = max(run.final.accuracy for run in read_runs(runs))
    words = ["eval", "--matched-accuracy", target, "--runs", runs, "--data-dir", tints, "--json"]
    words += ["--attack", "deepfool", "--images", 6, "--quiet"]
    ended = tiny.robench(*words)
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert {one["event"] for one in events} == {"match", "epoch", "evaluation", "audit"}
    found = {one.evaluation.key: one for one in archive.read(runs).results}
    told = [one for one in events if one["event"] == "evaluation"]
    assert {one["new"] for one in told} == {True}
    for one in told:
        own = next(r for r in found.values() if _same(one, r.evaluation))
        assert one["rho"]["value"] == own.distances.rho.value
        assert one["benign"]["low"] == own.benign.low
    boards = json.loads(tiny.robench("report", "--runs", runs, "--out", out, "--json").out)
    records = archive.read(out / "records")
    ((section,), (board,)) = sections(records), boards
    ranking = rank(section.standings[0], records.audits)
    assert [row["variant"] for row in board["rows"]] == [one.variant for one in ranking.entries]
    for row, entry in zip(board["rows"], ranking.entries, strict=True):
        assert (row["rank"], row["reasons"]) == (entry.rank, list(entry.reasons))
        assert entry.benign is not None
        assert row["benign"]["high"] == entry.benign.high
    assert tiny.robench("report", "--out", out, "--check").code == 0


def _same(told: dict[str, object], record: object) -> bool:
    names = ("run", "step", "attack", "source", "images")
    return all(told[name] == getattr(record, name) for name in names)


def test_quiet_leaves_errors_alone(tints: Path, tmp_path: Path) -> None:
    words = tiny.options(tints, tmp_path, defense="baseline")
    said = tiny.robench("train", *words, "--quiet")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert len(read_runs(tmp_path)) == 1
    wrong = tiny.robench("train", "--defense", "nobody", "--quiet")
    assert (wrong.code, wrong.out, wrong.err.count("\n")) == (2, "", 1)
    assert tiny.robench("train", *words).out.endswith("finished already\n")  # not for ever


def test_the_tab_key_finds_commands_options_and_plugins() -> None:
    assert completed("tr") == ["plain,train"]
    assert completed("train", "--epo") == ["plain,--epochs"]
    pgn = [f"plain,{name}" for name in DEFENSES.names() if name.startswith("pg")]
    assert completed("train", "--defense", "pg") == pgn != []
    assert completed("eval", "--attack", "") == [f"plain,{name}" for name in ATTACKS.names()]
    assert completed("train", "--defense", "./own") == ["file,./own"]


def test_a_misspelt_variable_does_not_keep_the_tab_key_from_working(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROBENCH_TRAIN_EPOHCS", "3")
    assert completed("train", "--epo") == ["plain,--epochs"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_asks_robench(shell: str) -> None:
    ended = tiny.robench("completion", shell)
    assert ended.code == 0
    assert f"_ROBENCH_COMPLETE={shell}_complete" in ended.out
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=ended.out, text=True, check=True)


def test_what_goes_on_is_told_how(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {*COMMANDS} > GOING_ON
    for name in COMMANDS:

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(cli, "main", interrupted)
        ended = tiny.robench(name, "--runs", "my runs")
        said = f"; to go on from what is stored: robench {name} --runs 'my runs'"
        assert ended.code == 130
        assert ended.err == f"Interrupted{said if name in GOING_ON else ''}\n"


def test_variables_are_named_by_the_long_option() -> None:
    assert variables.variable("bench", "attacks", "data-dir") == "ROBENCH_BENCH_ATTACKS_DATA_DIR"
