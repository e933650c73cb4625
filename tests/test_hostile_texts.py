"""Configuration that people hand in: grids, run files, recipes, contests, values of a scale."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bounds import little_memory
from hostile import cases, ends, mutated, spoilt, values, words
from robench import documents, grid
from robench.benchmarking import contests
from robench.errors import UserError
from robench.planning import Request
from robench.plugins import ATTACKS
from robench.reproduction import recipe
from robench.reproduction.attacked import attacks_of
from robench.settings import configure
from robench.studies import run_file

GRID = {
    "dataset": "digits",
    "epochs": 2,
    "seed": [0, 1],
    "model.width": 0.25,
    "learning_rate": [5e-4, 1e-3],
    "defenses": {"baseline": None, "fgm": {"eps": [0.1, 0.2], "through_attack": True}},
}
RECIPE = {
    "title": "A figure",
    "section": "4.2",
    "claim": "That it holds.",
    "dataset": "digits",
    "train": {"all": [{"defense": "fgm", "eps": "$eps"}, {"defense": "baseline"}]},
    "show": [
        {
            "show": "robustness",
            "of": "all",
            "attacks": [{"attack": "cw", "steps": 3}, {"attack": "fgm", "eps": [0.1, 0.2]}],
            "match": {"to": "baseline", "below": [0.01, 0.02]},
            "moments": "$seeds",
            "label": "strength",
        }
    ],
}
CONTESTS = {
    "contests": [
        {
            "name": "fgm",
            "title": "One step",
            "lines": [
                {"library": "robench", "attack": "fgm", "budget": {"eps": 0.5}},
                {"library": "foolbox", "attack": "FGM", "budget": {"epsilons": 0.5}},
            ],
        }
    ],
    "front": [
        {"library": "robench", "attack": "cw", "title": "C&W", "ladder": {"steps": [1, 2]}},
    ],
}


RUN_FILE = {
    "title": "A study",
    "published": "cifar10",
    "train": {**GRID, "defenses": {"fgm": [{"eps": [0.1, 0.2], "seed": [0, 1]}, {"eps": 0.3}]}},
    "evaluate": [
        {"matched_accuracy": [0.6, 0.7], "tolerance": 0.01, "preset": "paper", "images": 9},
        {"final": True, "attack": ["cw"], "set": {"cw.steps": 3}, "audit": False, "keep": 0},
    ],
}


def of_grid(path: Path) -> object:
    """Read a grid."""
    return grid.read_file(path, Request("baseline"))


def of_recipe(path: Path) -> object:
    """Read a recipe, and its attacks as `reproduce` does before it trains."""
    read = recipe.read(str(path), {"eps": (0.1, 0.3), "seeds": (0,)})
    for item in read.show:
        for entry in item.attacks:
            list(attacks_of(entry))
    return [recipe.product(entry) for entries in read.train.values() for entry in entries]


def of_contests(path: Path) -> object:
    """Read contests and configure our own attacks of them."""
    read = contests.read(path)
    for line in (line for contest in read.contests for line in contest.lines):
        if line.library == contests.OWN:
            configure(ATTACKS.get(line.attack).cls, line.budget, line.attack)
    return [
        contests.at(line, value)
        for line in read.front
        for value in next(iter(line.ladder.values()))
    ]


def of_run_file(path: Path) -> object:
    """Read a run file."""
    return run_file.read(path, path.parent / "runs")


READERS: dict[str, tuple[Callable[[Path], object], dict[str, Any]]] = {
    "grid": (of_grid, GRID),
    "run-file": (of_run_file, RUN_FILE),
    "recipe": (of_recipe, RECIPE),
    "contests": (of_contests, CONTESTS),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for what is read."""
    return tmp_path_factory.mktemp("texts")


@pytest.mark.parametrize("kind", READERS)
def test_what_is_spoilt_is_read_as_it_is(kind: str, place: Path) -> None:
    reader, valid = READERS[kind]
    path = place / f"{kind}.yaml"
    path.write_text(yaml.safe_dump(valid))
    assert reader(path)


@pytest.mark.parametrize("kind", READERS)
@cases(60)
@given(data=st.data())
def test_other_values_in_a_file(kind: str, place: Path, data: st.DataObject) -> None:
    reader, valid = READERS[kind]
    content = data.draw(mutated(valid))
    try:
        text = yaml.safe_dump(content).encode(errors="surrogatepass")
    except (ValueError, yaml.YAMLError):  # a whole number of too many digits
        text = repr(content)[:100].encode(errors="replace")
    path = place / f"{kind}.yaml"
    path.write_bytes(text)
    ends(kind, lambda: reader(path))


@pytest.mark.parametrize("kind", READERS)
@cases(40)
@given(data=st.data())
def test_other_bytes_in_a_file(kind: str, place: Path, data: st.DataObject) -> None:
    reader, valid = READERS[kind]
    path = place / f"{kind}.yaml"
    whole = yaml.safe_dump(valid).encode()
    path.write_bytes(data.draw(spoilt(whole) | st.binary(max_size=60)))
    ends(kind, lambda: reader(path))


TAGS = (
    "int",
    "float",
    "bool",
    "null",
    "timestamp",
    "binary",
    "set",
    "omap",
    "pairs",
    "python/name",
)
YAML = st.text(alphabet="[]{}:,&*!|>-?#'\"%@ \n\tab01.~<=", max_size=40)
TAGGED = st.builds("!!{} {}".format, st.sampled_from(TAGS), words | YAML)


@cases(100)
@given(text=YAML | TAGGED | words)
def test_any_text(text: str) -> None:
    ends("yaml", lambda: documents.parse(text))


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
)
COSTLY = {
    "a billion laughs": LAUGHS,
    "laughs in a grid": f"{LAUGHS}\ndefenses: {{fgm: {{eps: *a11}}}}",
    "an alias of itself": "a: &a [*a]",
    "a mapping that merges itself": "a: &a {<<: *a}",
    "brackets": "[" * 100_000,
    "braces": "{a: " * 100_000,
    "dashes": "- " * 100_000,
    "a million digits": "9" * 1_000_000,
    "a hundred thousand digits": "epochs: " + "9" * 100_000,
    "hexadecimal": "epochs: 0x" + "f" * 100_000,
    "sexagesimal": "epochs: " + ":".join(["59"] * 20_000),
    "many keys": "\n".join(f"k{n}: 1" for n in range(30_000)),
    "more than people write": "# comment\n" * 100_000,
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("name", COSTLY)
def test_what_costs_more_than_it_says(name: str, kind: str, place: Path) -> None:
    path = place / f"{kind}.yaml"
    path.write_text(COSTLY[name])
    with little_memory(), pytest.raises(UserError, match=r"\.yaml: "):
        READERS[kind][0](path)


def test_python_objects_are_not_made(place: Path) -> None:
    sprung = place / "sprung"
    with pytest.raises(UserError, match="is not YAML"):
        documents.parse(f"!!python/object/apply:os.mkdir ['{sprung}']")
    assert not sprung.exists()


@cases(80)
@given(key=st.sampled_from(["epochs", "eps", "images", "seeds", "width"]) | words, value=words)
def test_values_of_a_scale(key: str, value: str) -> None:
    ends("scale", lambda: recipe.scale("smoke", {key: value.split(",")}))


@cases(100)
@given(
    name=st.sampled_from(["fgm", "cw", "pgd", "apgd", "pgn", "deepfool"]),
    key=st.sampled_from(["eps", "steps", "loss", "restarts", "through_attack"]) | words,
    value=values,
)
def test_settings(name: str, key: str, value: Any) -> None:
    ends("settings", lambda: configure(ATTACKS.get(name).cls, {key: value}, name))
