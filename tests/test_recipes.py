"""The recipes: that each can be had at each scale, and what a wrong one is told."""

from pathlib import Path

import pytest

from robench import published
from robench.errors import UserError
from robench.plugins import ATTACKS, DATASETS, DEFENSES
from robench.reproduction import recipe
from robench.reproduction.recipe import PUBLISHED_ORDER, Recipe, names, product, read, scale, scales
from robench.settings import configure

SMALL = """
title: Small
section: none
claim: none
dataset: digits
train:
  own: [{defense: fgm, eps: $eps, model.width: $width * $capacities}]
show:
  - {show: robustness, of: own, attacks: [{attack: cw}]}
"""


def written(folder: Path, text: str) -> str:
    """Write a recipe and return its path as typed."""
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("size", scales())
@pytest.mark.parametrize("name", names())
def test_every_plugin_and_setting_of_a_recipe_exists(name: str, size: str) -> None:
    made = read(name, scale(size, {}))
    assert made.dataset in DATASETS.names()
    for group in made.train.values():
        for entry in group:
            plugin = DEFENSES.get(str(entry["defense"][0]))
            for row in product(entry):
                own = {k: v for k, v in row.items() if k != "defense" and "." not in k}
                configure(plugin.cls, own, plugin.name)
    for item in made.show:
        for entry in item.attacks:
            attack = ATTACKS.get(str(entry["attack"][0]))
            for row in product(entry):
                own = {key: value for key, value in row.items() if key != "attack"}
                configure(attack.cls, own, attack.name)


def test_every_table_and_figure_of_results_has_a_recipe() -> None:
    assert set(PUBLISHED_ORDER) <= set(names())
    titles = {name: read(name, scale("full", {})).title for name in PUBLISHED_ORDER}
    for name, title in titles.items():
        kind, number = name[:-1], name[-1]
        assert title.startswith(f"{kind.capitalize()} {number}: ")


def test_the_full_scale_trains_at_the_published_settings() -> None:
    values = scale("full", {})
    assert (values["width"], values["epochs"], values["images"]) == (1, 200, None)
    assert values["eps"] == (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    second, third = read("table2", values), read("table3", values)
    assert (second.dataset, third.dataset) == ("cifar100", "cifar10")
    assert _settings(second)["fgm"]["eps"] == (0.02,)
    assert _settings(third)["pgd"]["eps"] == (0.1,)
    assert _settings(third)["pgn"]["c_l"] == (50,)


def _settings(made: Recipe) -> dict[object, recipe.Entry]:
    return {entry["defense"][0]: entry for entry in made.train["defenses"]}


def test_names_stand_for_values_of_the_scale_and_products_of_them(tmp_path: Path) -> None:
    values = scale("half", {"eps": ["0.1", "0.2"], "width": ["0.25"]})
    (entry,) = read(written(tmp_path, SMALL), values).train["own"]
    assert entry["eps"] == (0.1, 0.2)
    assert entry["model.width"] == (0.125, 0.25, 0.5)
    assert len(product(entry)) == 6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epsilon": ["1"]}, "--set epsilon: a scale has no such value; it has: .*eps"),
        ({"width": ["1", "2"]}, "--set width: one value is wanted, 2 were given"),
    ],
)
def test_a_value_that_no_scale_has_is_refused(changes: dict[str, list[str]], said: str) -> None:
    with pytest.raises(UserError, match=said):
        scale("half", changes)


def test_an_unknown_scale_or_recipe_is_told_what_there_is() -> None:
    with pytest.raises(UserError, match="no scale 'tiny'; there are: full, half, smoke"):
        scale("tiny", {})
    with pytest.raises(UserError, match=r"no recipe 'figure6'; there are: table2, .*table4, .*all"):
        read("figure6", scale("half", {}))
    with pytest.raises(UserError, match=r"there is no recipe file gone\.yaml"):
        read("gone.yaml", scale("half", {}))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title: Small", "titel: Small", "unknown 'titel'; known: title"),
        ("title: Small", "", "'title' is missing"),
        ("show: robustness", "show: pie", "'pie' is not of table"),
        ("of: own", "of: other", "'other' is not a group of own"),
        ("$eps", "$epsilon", r"no value \$epsilon; the scale has: .*eps"),
        ("defense: fgm", "defence: fgm", "an entry names no defense"),
        ("train:", "train: [", "is not YAML"),
        ("  own: [{", "  own: 3 #[{", "wanted a list, found 3"),
        ("  own: [{", "  own: [] #[{", "train: every group needs an entry"),
        ("attacks: [{attack: cw}]", "attacks: cw", "wanted a list, found 'cw'"),
        ("section: none", "section: none\nsection: again", "section stands twice in one mapping"),
    ],
)
def test_a_wrong_recipe_is_told_where(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SMALL
    with pytest.raises(UserError, match=said):
        read(written(tmp_path, SMALL.replace(old, new)), scale("smoke", {}))


def test_published_figures_are_those_of_the_paper() -> None:
    assert published.datasets() == ("cifar10", "cifar100")
    table = published.row("cifar10", "pgn")
    assert table is not None
    assert (table.benign, table.attacks["cw"]["mean"]) == (0.9186, 0.4365)
    other = published.row("cifar100", "pgd")
    assert other is not None
    assert (other.seconds, other.attacks["mim"]["black"]) == (175.8571, 0.5014)
    assert published.curve("cifar10", "baseline") == ((0.178, 0.920),)
    assert len(published.curve("cifar100", "pgn")) == 9
    assert published.row("digits", "pgn") is None
    assert published.curve("cifar10", "trades") == ()
