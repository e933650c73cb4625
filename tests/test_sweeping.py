"""Sweeps: what they train, what they skip, what they do with a run that fails."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tiny
from recordings import SPEC
from robench.claim import claimed
from robench.errors import UserError
from robench.grid import for_defenses
from robench.planning import Plan, Request
from robench.plans import planned
from robench.records import RunSpec, Setting
from robench.runs import read_runs
from robench.sweeping import Begun, Ended, Event, Passed, Planned, labels, sweep, together


def requests(
    defenses: Sequence[str], data: Path, runs: Path, values: Mapping[str, Sequence[Setting]]
) -> list[Request]:
    """Return the requests of a small grid."""
    small: dict[str, Any] = tiny.SMALL
    template = Request("", {"model.width": 0.1}, data_dir=data, runs=runs, **small)
    return for_defenses(template, defenses, values)


def swept(asked: list[Request]) -> tuple[list[Event], list[Ended]]:
    """Run a sweep to its end; return all events, and the ends alone."""
    events = list(sweep(asked))
    return events, [one for one in events if isinstance(one, Ended)]


def swept_together(plans: list[Plan]) -> list[Ended]:
    """Run such plans to their end beside nobody; return the ends."""
    return [one for one in together(plans, pytest.fail) if isinstance(one, Ended)]


def words(data: Path, runs: Path, *more: object, **options: object) -> list[object]:
    """Return the words of a small sweep; `options` override."""
    return ["sweep", *tiny.options(data, runs, **options), *more]


def test_a_widened_sweep_trains_the_new_cells_alone(tints: Path, tmp_path: Path) -> None:
    narrow = requests(["fgm"], tints, tmp_path, {"eps": [0.1], "seed": [0, 1], "epochs": [2]})
    events, ends = swept(narrow)
    assert [one.state for one in ends] == ["trained", "trained"]
    assert [type(one) for one in events] == [Planned, *[Begun, Passed, Passed, Ended] * 2]
    before = tiny.snapshot(tmp_path)
    wide = requests(
        ["baseline", "fgm"], tints, tmp_path, {"eps": [0.1, 0.2], "seed": [0, 1], "epochs": [2]}
    )
    events, ends = swept(wide)
    assert [(one.cell.label, one.cell.spec.seed, one.state) for one in ends] == [
        *(("baseline", seed, "trained") for seed in (0, 1)),
        *(("fgm eps=0.1", seed, "there already") for seed in (0, 1)),
        *(("fgm eps=0.2", seed, "trained") for seed in (0, 1)),
    ]
    assert [(one.cell.number, one.cell.count) for one in ends] == [(n, 6) for n in range(1, 7)]
    assert before.items() <= tiny.snapshot(tmp_path).items()  # not one byte of what was there
    runs = {run.key: run for run in read_runs(tmp_path)}
    assert [one.run for one in ends] == [runs[one.cell.spec.key] for one in ends]
    assert len(runs) == 6


def test_a_sweep_trains_what_a_single_training_does(tints: Path, tmp_path: Path) -> None:
    asked = requests(["fgm"], tints, tmp_path / "swept", {"eps": ["0.3"], "seed": [4, 5]})
    _, ends = swept(asked)
    for end in ends:
        alone = tiny.trained(
            "fgm", tints, tmp_path / "alone", settings={"eps": 0.3}, seed=end.cell.spec.seed
        )
        assert end.run is not None
        assert end.run.final == alone.final


def test_an_interrupted_cell_goes_on(tints: Path, tmp_path: Path) -> None:
    asked = requests(["baseline"], tints, tmp_path, {"seed": [0, 1], "epochs": [3]})
    events = sweep(asked)
    assert [type(next(events)) for _ in range(4)] == [Planned, Begun, Passed, Passed]
    del events
    again, ends = swept(asked)
    epochs = [(one.cell.number, one.epoch.epoch) for one in again if isinstance(one, Passed)]
    assert epochs == [(1, 3), (2, 1), (2, 2), (2, 3)]
    assert [one.state for one in ends] == ["trained", "trained"]


def test_a_cell_that_fails_stops_no_other(tints: Path, tmp_path: Path) -> None:
    asked = requests(["baseline"], tints, tmp_path, {"lr": [1e9, 5e-3], "seed": [0, 1]})
    _, ends = swept(asked)
    assert [one.state for one in ends] == ["failed", "failed", "trained", "trained"]
    for one in ends[:2]:
        assert one.run is None
        assert one.reason.startswith("training diverged in epoch 1 ")
    assert [one.state for one in swept(asked)[1]][:3] == ["failed", "failed", "there already"]


def test_a_damaged_run_is_a_failure_of_its_cell(tints: Path, tmp_path: Path) -> None:
    asked = requests(["baseline"], tints, tmp_path, {"seed": [0, 1]})
    _, ends = swept(asked)
    manifest = tmp_path / ends[0].cell.spec.key / "manifest.json"
    manifest.write_text("{")
    _, ends = swept(asked)
    assert [one.state for one in ends] == ["failed", "there already"]
    assert ends[0].reason.startswith(f"{manifest} is not the file that")


def test_what_another_process_trains_is_busy_and_no_failure(tints: Path, tmp_path: Path) -> None:
    asked = requests(["baseline"], tints, tmp_path, {"seed": [0, 1]})
    first = tmp_path / planned(asked)[0].spec.key
    with claimed(first):
        _, ends = swept(asked)
        ended = tiny.robench(*words(tints, tmp_path, "--set", "seed=0,1", defense="baseline"))
    assert [one.state for one in ends] == ["busy", "trained"]
    assert ends[0].run is None
    assert f"{first} is being worked on by process {os.getpid()} on " in ends[0].reason
    assert ended.code == 1
    told = ended.err.splitlines()
    assert told[0].startswith(f"busy: baseline seed 0: {first} is being worked on")
    assert told[1:] == [
        "Error: 1 of 2 runs left to another process; the lines above say why",
    ]


def test_what_is_busy_is_come_back_to_until_it_has_ended(tints: Path, tmp_path: Path) -> None:
    plans = planned(requests(["baseline"], tints, tmp_path, {"seed": [0, 1, 2], "lr": [5e-3]}))
    claims = [claimed(tmp_path / plans[place].spec.key) for place in (0, 2)]
    for one in claims:
        one.__enter__()
    waits: list[int] = []

    def wait() -> None:
        waits.append(len(waits))
        if len(waits) > 1:
            claims[len(waits) - 2].__exit__(None, None, None)

    events = list(together(plans, wait))
    ends = [(one.cell.number, one.state) for one in events if isinstance(one, Ended)]
    assert ends == [
        *((1, "busy"), (2, "trained"), (3, "busy")),
        *((1, "trained"), (3, "trained")),
    ]
    assert waits == [0, 1, 2]
    begun = [one.cell.number for one in events if isinstance(one, Begun)]
    assert begun == [1, 2, 3, 1, 3]  # again when they really begin, not at each look
    assert not [end for end in swept_together(plans) if end.state != "there already"]


def test_what_another_process_has_trained_meanwhile_is_there(tints: Path, tmp_path: Path) -> None:
    plans = planned(requests(["baseline"], tints, tmp_path, {"seed": [0]}))
    with claimed(tmp_path / plans[0].spec.key):
        events = together(plans, lambda: None)
        assert [type(next(events)) for _ in range(3)] == [Planned, Begun, Ended]
    tiny.epochs(plans[0])
    (end,) = events
    assert isinstance(end, Ended)
    assert end.state == "there already"


@pytest.mark.parametrize(
    "values", [{"eps": [0.1, "much"]}, {"eps": [0.1, -1]}, {"eps": [0.1], "model.widht": [0.1]}]
)
def test_a_mistake_in_any_cell_shows_before_anything_is_trained(
    values: dict[str, list[Setting]], tints: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(UserError):
        next(sweep(requests(["baseline", "fgm"], tints, runs, values)))
    assert not [path for path in runs.rglob("*") if ".cache" not in path.parts and path.is_file()]


def test_equal_cells_are_one(tints: Path, tmp_path: Path) -> None:
    asked = requests(["fgm"], tints, tmp_path, {"eps": ["0.1", 0.1, "1e-1", "0.2"]})
    plans = planned(asked)
    assert [one.spec.settings["eps"] for one in plans] == [0.1, 0.2]
    assert len(planned([*asked, *asked])) == 2


def test_equal_data_are_loaded_once_and_others_are_not_mistaken(
    tints: Path, tmp_path: Path
) -> None:
    values: dict[str, list[Setting]] = {
        "validation": [6, 12],
        "dataset.pad": [0, 1],
        "eps": [0.1, 0.2],
    }
    plans = planned(requests(["fgm"], tints, tmp_path, values))
    assert len({id(one.data) for one in plans}) == 4
    assert [(one.data.held_out, one.data.pad) for one in plans] == [
        (held_out, pad) for held_out in (6, 12) for pad in (0, 1) for _ in range(2)
    ]
    for one in plans:
        assert one.spec.validation == one.data.held_out
        assert one.spec.dataset_settings["pad"] == one.data.pad


def spec(defense: str, **changed: Any) -> RunSpec:
    """Return a spec; `settings` and other fields as given."""
    return replace(SPEC, defense=defense, **changed)


def test_labels_tell_what_differs_and_nothing_else() -> None:
    assert labels([spec("fgm", settings={"eps": 0.1}), spec("pgd", settings={"eps": 0.2})]) == [
        *("fgm", "pgd"),
    ]
    several = [
        spec("fgm", settings={"eps": 0.1, "through_attack": True}),
        spec("fgm", settings={"eps": 0.1, "through_attack": False}, seed=3),
        spec("own:Jitter@12345678", settings={"sigma": 20.0}),
        spec("own:Jitter@12345678", settings={"sigma": 50.0}),
    ]
    assert labels(several) == [
        *("fgm through_attack=true", "fgm through_attack=false"),
        *("own:Jitter sigma=20", "own:Jitter sigma=50"),
    ]
    outer = [spec("fgm", rung=0.1), spec("baseline", model_settings={"width": 0.5})]
    assert labels(outer) == [
        *("fgm model.width=0.25 rung=0.1", "baseline model.width=0.5 rung=0.005"),
    ]


def test_the_command_trains_tells_and_ends_with_a_table(tints: Path, tmp_path: Path) -> None:
    asked = words(tints, tmp_path, "--set", "eps=0.1,0.2", "--set", "seed=0,1", defense="fgm")
    ended = tiny.robench(*asked)
    assert (ended.code, ended.err) == (0, "")
    assert "\n  epoch 1/1  loss " in ended.out
    lines = ended.out.partition("\n\n")[2].splitlines()
    assert lines[0].split() == ["defense", "seed", "accuracy", "s/epoch", "state"]
    runs = {(run.spec.settings["eps"], run.spec.seed): run for run in read_runs(tmp_path)}
    assert [line.split()[:4] for line in lines[1:]] == [
        ["fgm", f"eps={eps}", str(seed), f"{runs[eps, seed].final.accuracy:.4f}"]
        for eps in (0.1, 0.2)
        for seed in (0, 1)
    ]
    again = tiny.robench(*asked)
    assert again.code == 0
    assert again.out.count("there already, accuracy ") == 4
    assert "epoch 1/1" not in again.out


def test_the_command_lists_failures_and_exits_with_1(tints: Path, tmp_path: Path) -> None:
    options = tiny.options(tints, tmp_path)
    at = options.index("--lr")
    del options[at : at + 2]
    several = ["--defense", "baseline", "--defense", "fgm", "--set", "lr=5e-3,1e9"]
    ended = tiny.robench("sweep", *several, *options)
    assert ended.code == 1
    assert [line.split()[-1] for line in ended.out.splitlines()[-4:]] == [
        *("trained", "failed") * 2,
    ]
    told = ended.err.splitlines()
    for line, defense in zip(told[:2], ("baseline", "fgm"), strict=True):
        name = f"failed: {defense} learning_rate=1000000000 seed 0: training diverged in epoch 1"
        assert line.startswith(name)
    assert told[2:] == ["Error: 2 of 4 runs failed; the lines above say why"]
    assert len(read_runs(tmp_path)) == 2


def test_a_file_does_the_same(tints: Path, tmp_path: Path) -> None:
    file, runs = tmp_path / "grid.yaml", tmp_path / "runs"
    file.write_text(
        "dataset: folder\nmodel.width: 0.1\nepochs: 1\nbatch_size: 36\nlr: 5e-3\nema: 0.5\n"
        "seed: [0, 1]\ndefenses: {fgm: {eps: [0.1, 0.2]}}\n"
    )
    where = ["--runs", runs, "--data-dir", tints, "--device", "cpu"]
    first = tiny.robench("sweep", file, *where)
    assert (first.code, first.err) == (0, "")
    assert len(read_runs(runs)) == 4
    asked = words(tints, runs, "--set", "seed=0,1", "--set", "eps=0.1,0.2", defense="fgm")
    assert tiny.robench(*asked).out.count("there already, accuracy ") == 4


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "nothing to sweep; say --defense NAME, or a YAML file"),
        (["--defense", "fgm", "--set", "epz=1"], "fgm has no setting 'epz'; did you mean 'eps'"),
        (["--defense", "fgm", "--set", "eps=0.1,"], "--set eps=0.1,: an empty value"),
        (["--defense", "fgm", "--set", "eps=0.1,x"], "fgm: eps=x is not a number"),
        (["--defense", "fgm", "--set", "lr=0.1"], "both --lr and --set lr; say one of them"),
        (["--defense", "fgm", "--set", "model.width=1"], "both --width and --set model.width"),
        (["grid.yaml"], "--dataset, --width, --epochs, --batch-size, --lr, --ema with grid.yaml"),
        (["grid.yaml", "--set", "eps=1"], "--set, --dataset, "),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    more: list[object], said: str, tints: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    ended = tiny.robench(*words(tints, runs, *more))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith(f"Error: {said}")
    assert not list(runs.glob("folder-*"))
