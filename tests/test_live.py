"""The live table: on a terminal alone, below the lines, gone in the end; small, whatever waits."""

import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

import tiny
from recordings import SPEC
from robench.cli import main
from robench.cli.live import COLUMNS, drawn
from robench.environment import describe
from robench.executors.executor import ENDED, News, Task
from robench.executors.schedule import Started
from robench.records import Epoch
from robench.runs import read_runs
from robench.sweeping import Aside, Begun, Cell, Died, Ended, Passed, Planned
from robench.watching import Watch
from screens import Terminal, on, screen
from test_sweeping import words


def watched(*arguments: object, lines_too: bool = True) -> tuple[int, str]:
    """Run the command line on a terminal; return its exit code and what was written to that."""
    terminal, argv = Terminal(100, 30), sys.argv
    sys.argv = ["robench", *map(str, arguments)]
    try:
        with on(terminal, lines_too=lines_too), pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = argv
        said = terminal.close()
    assert isinstance(stop.value.code, int)
    return stop.value.code, said


def test_a_sweep_has_a_table_on_a_terminal_alone(
    tints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = words(tints, tmp_path, "--set", "seed=0,1,2", defense="baseline", epochs=2)
    crew = [*asked, "--executor", "processes", "--workers", "1"]
    code, said = watched(*crew)
    assert (code, len(read_runs(tmp_path))) == (0, 3)
    for line in ("1 training, 2 waiting", "baseline seed 2  waiting"):
        assert line in said
    assert "\x1b[?25l" in said  # the cursor is hidden
    assert said.rstrip().rfind("\x1b[?25h") > said.rfind("\x1b[?25l")  # and shown again
    left = screen(said)
    assert not [line for line in left if "waiting" in line or line.startswith("cell ")]
    assert sum("  epoch 1/2  loss " in line for line in left) == 3
    assert [line.split()[-1] for line in left if line.startswith("baseline ")] == ["trained"] * 3
    code, said = watched(*crew, lines_too=False)
    lines = capsys.readouterr().out
    assert "3 done" in said
    assert code == lines.count("\x1b") == 0
    assert lines.count("there already, accuracy ") == 3
    assert "there already" not in said
    assert "\x1b[" not in (plain := tiny.robench(*crew)).out + plain.err
    assert watched(*crew, "--quiet") == (0, "")
    code, said = watched(*asked)  # alone: a bar, if anything were trained
    assert "\x1b[?25l" not in said


def cells(count: int) -> list[Cell]:
    """Return cells of ten epochs."""
    return [
        Cell(replace(SPEC, seed=number, epochs=10), "pgn c_l=1", number, count)
        for number in range(1, count + 1)
    ]


def on_screen(watch: Watch, width: int, height: int) -> list[str]:
    """Return the lines that the table takes on a terminal so wide and high."""
    file = io.StringIO()
    console = Console(file=file, width=width, height=height)
    console.print(drawn(watch, console))
    return file.getvalue().splitlines()


def test_each_state_is_told_of_as_it_comes(tmp_path: Path) -> None:
    watch, (first, second, third, fourth) = Watch(tmp_path), (several := cells(4))
    watch.see(Planned(tuple(several)))
    assert watch.counts() == "4 waiting"
    for cell in several:
        watch.see(Begun(cell))
    watch.see(Passed(first, Epoch(3, 1.0, 0.5, 2.0, 0.0)))
    watch.see(Died(second, "its worker ended by signal 9", again=True))
    watch.see(Ended(third, "failed", None, "training diverged"))
    watch.see(Ended(fourth, "busy", None, "another process"))
    assert watch.counts() == "1 training, 1 busy, 1 failed, 1 waiting"
    assert [(row.number, row.state, row.epoch) for row in watch.rows(9)] == [
        *((1, "training", 3), (2, "waiting", 0), (3, "failed", 0), (4, "busy", 0)),
    ]
    task = Task("cw white-box of a-run step 12 abcdef", "attack", {})
    watch.see(Aside(Started(task)))
    assert [row.name for row in watch.rows(9)][-1] == "cw white-box of a-run step 12"
    assert watch.counts().startswith("1 training, 1 evaluating, ")
    watch.see(Aside(News(task, {"evaluated": "a-record"})))
    assert watch.rows(9)[-1].state == "evaluating"
    watch.see(Aside(News(task, {ENDED: "done", "reason": ""})))
    assert watch.counts() == "1 training, 1 busy, 1 failed, 1 waiting, 1 evaluated"


def test_the_folder_of_a_run_tells_what_no_event_does(tints: Path, tmp_path: Path) -> None:
    plan = tiny.planned("baseline", tints, tmp_path, epochs=3)
    cell = Cell(plan.spec, "baseline", 1, 1)
    watch = Watch(tmp_path)
    watch.see(Planned((cell,)))
    watch.see(Begun(cell))
    training = tiny.stepwise(plan)
    seconds = next(training).seconds  # which nobody has told of
    (row,) = watch.rows(1)
    assert (row.epoch, row.epochs, row.left) == (1, 3, 2 * seconds)
    assert row.device == describe(torch.device("cpu"))["device"]
    assert row.holder.startswith("process ")


@pytest.mark.parametrize(("width", "height"), [(24, 8), (50, 24), (80, 24), (200, 60)])
def test_hundreds_of_cells_fit_a_terminal(width: int, height: int, tmp_path: Path) -> None:
    watch, several = Watch(tmp_path), cells(400)
    watch.see(Planned(tuple(several)))
    for cell in several[:300]:
        watch.see(Begun(cell))
        watch.see(Ended(cell, "failed", None, "no reason"))
    for cell in several[350:352]:
        watch.see(Begun(cell))
    lines = on_screen(watch, width, height)
    assert len(lines) <= height // 2
    assert max(map(len, lines)) <= width
    shown = [name for name, least in COLUMNS.items() if width >= least]
    assert lines[0].split() == shown
    assert sum(" training" in line for line in lines[1:-1]) == 2
    assert "2 training, 300 failed, 98 waiting".startswith(lines[-1].rstrip(" …"))


def test_names_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.see(Planned((Cell(SPEC, "[bold]\x1b[2J:bug:", 1, 1),)))
    assert "[bold]\\x1b[2J:bug: seed 0" in on_screen(watch, 100, 30)[1]
