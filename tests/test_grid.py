"""From what varies to requests: combinations, defenses that share them, files."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from robench.cli.options import parse_lists
from robench.errors import UserError
from robench.grid import FIELDS, expand, for_defenses, read_file
from robench.planning import Request
from robench.records import Setting

TEMPLATE = Request("pgn", dataset="digits", epochs=3)
Told = tuple[str, Mapping[str, Setting], int]


def told(requests: list[Request]) -> list[Told]:
    """Return the defense, the settings and the seed of each request."""
    return [(one.defense, one.settings, one.seed) for one in requests]


def test_the_first_key_changes_slowest() -> None:
    cells = expand(TEMPLATE, {"c_l": [20, 50], "preset": ["code", "paper"]})
    assert [tuple(one.settings.values()) for one in cells] == [
        *((20, "code"), (20, "paper")),
        *((50, "code"), (50, "paper")),
    ]
    assert {(one.defense, one.dataset, one.epochs) for one in cells} == {("pgn", "digits", 3)}


def test_nothing_that_varies_is_one_request() -> None:
    assert expand(TEMPLATE, {}) == [TEMPLATE]


@pytest.mark.parametrize(
    ("key", "text", "field", "value"),
    [
        ("seed", "7", "seed", 7),
        ("epochs", "7", "epochs", 7),
        ("batch_size", "7", "batch_size", 7),
        ("batch-size", "7", "batch_size", 7),
        ("learning_rate", "1e-3", "learning_rate", 0.001),
        ("lr", "1", "learning_rate", 1.0),
        ("ema", "0.9", "ema", 0.9),
        ("rung", "0", "rung", 0.0),
        ("validation", "7", "validation", 7),
        ("precision", "float32", "precision", "float32"),
    ],
)
def test_a_field_of_the_request_is_typed(key: str, text: str, field: str, value: Setting) -> None:
    (one,) = expand(TEMPLATE, {key: [text]})
    assert (getattr(one, field), type(getattr(one, field))) == (value, type(value))
    assert one.settings == {}
    assert field in FIELDS


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("seed", "one", "seed=one is not a whole number"),
        ("seed", 1.5, "seed=1.5 is not a whole number"),
        ("seed", True, "seed=True is not a whole number"),
        ("lr", "fast", "lr=fast is not a number"),
        ("precision", "half", "precision=half is not auto or bf16 or float32"),
        ("seed", "-1", "--seed -1 is not at least 0"),
    ],
)
def test_a_field_of_the_wrong_type_or_range(key: str, value: Setting, said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        expand(TEMPLATE, {key: [value]})


def test_a_setting_applies_to_the_defenses_that_declare_it() -> None:
    values = {"eps": ["0.1", "0.2"], "c_l": ["20"], "seed": ["0", "1"], "model.width": ["0.5"]}
    cells = told(for_defenses(TEMPLATE, ["baseline", "fgm", "pgn"], values))
    shared = {"model.width": "0.5"}
    assert cells == [
        *(("baseline", shared, seed) for seed in (0, 1)),
        *(("fgm", {"eps": eps, **shared}, seed) for eps in ("0.1", "0.2") for seed in (0, 1)),
        *(("pgn", {"c_l": "20", **shared}, seed) for seed in (0, 1)),
    ]


def test_a_defense_s_own_values_replace_those_for_all() -> None:
    values = {"eps": ["0.1", "0.2"], "pgd.eps": ["0.3"], "pgd.steps": ["5"]}
    cells = for_defenses(TEMPLATE, ["fgm", "pgd"], values)
    assert told(cells) == [
        ("fgm", {"eps": "0.1"}, 0),
        ("fgm", {"eps": "0.2"}, 0),
        ("pgd", {"eps": "0.3", "steps": "5"}, 0),
    ]


def test_a_defense_in_a_file_goes_by_what_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("v1.2.py").write_text(
        "from dataclasses import dataclass\nfrom robench_defenses.fgm import FGM\n"
        "@dataclass\nclass Mine(FGM):\n    seed: int = 0\n"
    )
    for name in ("./v1.2.py", "./v1.2.py:Mine", "robench_defenses.fgm:FGM"):
        cells = for_defenses(TEMPLATE, ["fgm", name], {f"{name}.eps": ["0.3"]})
        assert told(cells) == [("fgm", {}, 0), (name, {"eps": "0.3"}, 0)]
    own = for_defenses(TEMPLATE, ["./v1.2.py"], {"./v1.2.py.seed": ["4"], "seed": ["5"]})
    assert told(own) == [("./v1.2.py", {"seed": "4"}, 5)]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("epz", r"fgm, pgd have no setting 'epz'; did you mean 'eps'\? Settings: eps, steps, "),
        ("sed", "fgm, pgd have no setting 'sed'; did you mean 'seed'"),
        ("fgm.steps", r"fgm has no setting 'steps'; did you mean 'eps'\? Settings: eps, t"),
        ("pgn.c_l", "pgn.c_l: the defense 'pgn' is not of this grid: fgm, pgd"),
    ],
)
def test_a_setting_that_no_defense_declares(key: str, said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        for_defenses(TEMPLATE, ["fgm", "pgd"], {key: ["1"]})


def test_values_on_the_command_line() -> None:
    assert parse_lists(("c_l=20,50, 100", "seed=0", "c_l=5", "a.b=x=y")) == {
        "c_l": ["20", "50", "100", "5"],
        "seed": ["0"],
        "a.b": ["x=y"],
    }


@pytest.mark.parametrize("pair", ["c_l=", "c_l=1,,2", "c_l=1,", "c_l= "])
def test_an_empty_value_on_the_command_line(pair: str) -> None:
    with pytest.raises(UserError, match=f"--set {pair}: an empty value; write c_l=VALUE,"):
        parse_lists((pair,))


@pytest.mark.parametrize("pair", ["c_l", "=3", ""])
def test_no_pair_on_the_command_line(pair: str) -> None:
    with pytest.raises(UserError, match=f"--set {pair}: not of the form KEY=VALUE"):
        parse_lists((pair,))


GRID = """
dataset: digits
data_dir: null
epochs: 30
lr: 1e-3
model.width: 0.25
seed: [0, 1]
defenses:
  baseline:
  fgm: {eps: [0.1, 0.3], through_attack: yes}
  pgn: {c_l: [20, 50], preset: paper}
"""


def written(path: Path, text: str | bytes) -> Path:
    """Write a file and return where it is."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_file_is_the_same_grid(tmp_path: Path) -> None:
    template = Request("", runs=tmp_path / "runs", device="cpu")
    cells = read_file(written(tmp_path / "grid.yaml", GRID), template)
    own: dict[str, list[dict[str, Setting]]] = {
        "baseline": [{}],
        "fgm": [{"eps": eps, "through_attack": True} for eps in (0.1, 0.3)],
        "pgn": [{"c_l": c_l, "preset": "paper"} for c_l in (20, 50)],
    }
    assert sorted(map(repr, cells)) == sorted(
        repr(
            Request(
                defense,
                {"model.width": 0.25, **settings},
                dataset="digits",
                epochs=30,
                learning_rate=1e-3,
                seed=seed,
                runs=tmp_path / "runs",
                device="cpu",
            )
        )
        for defense, each in own.items()
        for settings in each
        for seed in (0, 1)
    )


def test_a_defense_may_have_several_grids_and_seeds_of_its_own(tmp_path: Path) -> None:
    file = written(
        tmp_path / "grid.yaml",
        "model.width: 0.5\nseed: [7, 8]\ndefenses:\n  baseline: {seed: [0, 1]}\n  fgm:\n"
        "  - {eps: [0.1, 0.2], seed: 0}\n  - {eps: 0.2, seed: [1, 2]}\n"
        "  - {through_attack: true}\n",
    )
    width = {"model.width": 0.5}
    assert told(read_file(file, Request(""))) == [
        *(("baseline", width, seed) for seed in (0, 1)),
        *(("fgm", {**width, "eps": eps}, 0) for eps in (0.1, 0.2)),
        *(("fgm", {**width, "eps": 0.2}, seed) for seed in (1, 2)),
        *(("fgm", {**width, "through_attack": True}, seed) for seed in (7, 8)),
    ]


def test_a_setting_called_seed_is_the_defense_s_own(tmp_path: Path) -> None:
    source = written(
        tmp_path / "mine.py",
        "from dataclasses import dataclass\nfrom robench_defenses.fgm import FGM\n"
        "@dataclass\nclass Mine(FGM):\n    seed: int = 0\n",
    )
    text = f"seed: 5\ndefenses: {{'{source}': {{seed: 4}}, fgm: {{seed: 3}}}}"
    file = written(tmp_path / "grid.yaml", text)
    assert told(read_file(file, Request(""))) == [(str(source), {"seed": 4}, 5), ("fgm", {}, 3)]


def test_where_the_images_lie_the_command_line_says_last(tmp_path: Path) -> None:
    file = written(tmp_path / "grid.yaml", "data_dir: here\ndefenses: {fgm: {}}")
    assert read_file(file, Request(""))[0].data_dir == Path("here")
    assert read_file(file, Request("", data_dir=Path("there")))[0].data_dir == Path("there")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no defenses; write `defenses: {"),
        ("seed: 1", "no defenses; write"),
        ("- fgm", "a grid is a list, not a mapping"),
        ("defenses: [fgm]", "defenses is a list, not a mapping"),
        ("defenses: {fgm: 0.1}", "fgm is a float, not a mapping"),
        ("defenses: {fgm: {1: 2}}", "fgm: the key 1 is not text"),
        ("defenses: {fgg: {}}", "no defense called 'fgg'; did you mean 'fgm'"),
        ("defenses: {fgm: {epz: 1}}", "fgm has no setting 'epz'; did you mean 'eps'"),
        ("defenses: {fgm: {eps: []}}", "fgm.eps is neither a value nor a list of values: []"),
        ("defenses: {fgm: {eps: [[1]]}}", "fgm.eps is neither a value nor a list of values"),
        ("defenses: {fgm: {eps: null}}", "fgm.eps is neither a value nor a list of values"),
        ("defenses: {fgm: {eps: 2020-01-01}}", "fgm.eps is neither a value nor a list"),
        ("defenses: {fgm: {eps: &a [*a]}}", "is not plain: an alias stands within what it names"),
        ("defenses: {fgm: []}", "fgm: an empty list of grids; write {} for the defaults"),
        ("defenses: {fgm: [{eps: 1}, 2]}", "fgm, grid 2 is a int, not a mapping"),
        ("defenses: {fgm: [{eps: 1}, {epz: 1}]}", "fgm has no setting 'epz'; did you mean"),
        ("defenses: {fgm: {epochs: 2}}", "fgm: epochs is the same for all that is compared; "),
        ("defenses: {fgm: {lr: 2}}", "fgm: lr is the same for all that is compared; write it"),
        ("defenses: {fgm: {seed: x}}", "seed=x is not a whole number"),
        ("defenses: {fgm: {seed: []}}", "fgm.seed is neither a value nor a list of values: []"),
        (
            f"seed: {list(range(101))}\ndefenses: {{fgm: {{eps: {list(range(100))}}}}}",
            "10,100 combinations for fgm, more than 10,000",
        ),
        ("sed: 1\ndefenses: {fgm: {}}", "no key 'sed'; did you mean 'seed'? There is: "),
        ("runs: r\ndefenses: {fgm: {}}", "no key 'runs'"),
        ("seed: {a: 1}\ndefenses: {fgm: {}}", "seed is neither a value nor a list"),
        ("seed: x\ndefenses: {fgm: {}}", "seed=x is not a whole number"),
        ("dataset: [a, b]\ndefenses: {fgm: {}}", "dataset is ['a', 'b'], not one text"),
        ("seed: 1\nseed: 2\ndefenses: {fgm: {}}", "seed stands twice in one mapping"),
        ("defenses: {fgm: {eps: 1, eps: 2}}", "eps stands twice in one mapping"),
        ("seed: [1", "is not YAML (while parsing a flow sequence"),
        ("defenses: !!python/object/apply:os.getcwd []", "is not YAML (could not determine"),
        ("seed: 2020-99-99", "is not YAML (month must be in 1..12)"),
        (b"\xff\xfe\x00", "cannot be read ('utf-8' codec"),
    ],
)
def test_a_file_that_is_no_grid(text: str | bytes, said: str, tmp_path: Path) -> None:
    file = written(tmp_path / "grid.yaml", text)
    with pytest.raises(UserError) as refused:
        read_file(file, Request(""))
    assert str(refused.value).startswith(f"{file}: {said}")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read"):
        read_file(tmp_path / "none.yaml", Request(""))
