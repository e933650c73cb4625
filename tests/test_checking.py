"""`robench check`: the sound passes, and each check fails on what is broken in just that way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import faulty_attacks
import faulty_datasets
import faulty_defenses
import faulty_models
import tiny
from robench.architecture import Architecture
from robench.attack import Attack
from robench.checking import attacks, datasets, defenses, models
from robench.checking.check import Check, Found
from robench.checking.finding import asked
from robench.checking.outcome import brief
from robench.checking.victim import AttackCase, plane
from robench.dataset import Dataset
from robench.defense import Defense
from robench.errors import UserError
from robench.plugins import ATTACKS, Plugin

CPU = torch.device("cpu")
BROKEN_DEFENSES: list[tuple[type[Defense], str]] = [
    (faulty_defenses.Unexplained, "settings"),
    (faulty_defenses.StrengthOfNothing, "strength"),
    (faulty_defenses.LossOfEach, "loss"),
    (faulty_defenses.InPlace, "loss"),
    (faulty_defenses.Detached, "gradients"),
    (faulty_defenses.SpreadOfBatch, "single"),
    (faulty_defenses.Diverging, "training"),
    (faulty_defenses.GreyOnly, "shapes"),
    (faulty_defenses.FullPrecision, "precision"),
    (faulty_defenses.OwnDice, "determinism"),
    (faulty_defenses.OwnSeed, "seeds"),
    (faulty_defenses.Counting, "resume"),
]
BROKEN_ATTACKS: list[tuple[type[Attack], str]] = [
    (faulty_attacks.Contradiction, "budget"),
    (faulty_attacks.Crop, "runs"),
    (faulty_attacks.OutOfBox, "box"),
    (faulty_attacks.TooFar, "radius"),
    (faulty_attacks.Remembering, "determinism"),
    (faulty_attacks.Together, "batching"),
    (faulty_attacks.Mending, "misclassified"),
    (faulty_attacks.Mending, "oracle"),
    (faulty_attacks.Distant, "oracle"),
    (faulty_attacks.Trampling, "untouched"),
]
BROKEN_MODELS = [
    (faulty_models.Ending, "logits"),
    (faulty_models.Rounding, "gradients"),
    (faulty_models.Noisy, "determinism"),
    (faulty_models.Neighbourly, "batching"),
    (faulty_models.Hiding, "weights_kept"),
    (faulty_models.Seeded, "seeds"),
    (faulty_models.NeedsTwo, "training"),
    (faulty_models.Noisy, "audit"),
    (faulty_models.Shy, "attacks"),
]
BROKEN_DATASETS: list[tuple[type[Dataset], str]] = [
    (faulty_datasets.Floats, "types"),
    (faulty_datasets.Denying, "found"),
    (faulty_datasets.Restless, "stable"),
    (faulty_datasets.Namesakes, "names"),
    (faulty_datasets.Absent, "balance"),
    (faulty_datasets.Repeating, "apart"),
]
NOT_BROKEN_HERE = {"device"}
"""It needs a GPU to fail on."""
SHARED = {"settings", "attacks", "audit"}
"""Checks that several kinds share, each shown to fail with one of them."""


def defense(cls: type[Defense], root: Path) -> defenses.DefenseCase:
    """Return the case of a defense."""
    return defenses.DefenseCase(Plugin(cls.__name__, cls), {}, root, CPU)


def attack(cls: type[Attack], root: Path) -> AttackCase:
    """Return the case of an attack."""
    return AttackCase(Plugin(cls.__name__, cls), {}, root, CPU)


def model(cls: type[Architecture], root: Path) -> models.ModelCase:
    """Return the case of a model."""
    return models.ModelCase(Plugin("odd", cls), {}, root, CPU)


def dataset(cls: type[Dataset], root: Path) -> datasets.DatasetCase:
    """Return the case of a data set."""
    return datasets.DatasetCase(Plugin(cls.__name__, cls), {}, root, None)


def found(checks: tuple[Check[Any], ...], name: str, case: object) -> Found:
    """Ask one check of a case."""
    (one,) = (one for one in checks if one.name == name)
    return one.found(case)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """Put torch's generator back, which the checks seed."""
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.mark.parametrize(("cls", "name"), BROKEN_DEFENSES)
def test_a_broken_defense_fails_its_check(cls: type[Defense], name: str, tmp_path: Path) -> None:
    assert found(defenses.CHECKS, name, defense(cls, tmp_path)).verdict == "fail"
    assert (
        found(defenses.CHECKS, name, defense(faulty_defenses.Sound, tmp_path / "s")).verdict
        == "pass"
    )


@pytest.mark.parametrize(("cls", "name"), BROKEN_ATTACKS)
def test_a_broken_attack_fails_its_check(cls: type[Attack], name: str, tmp_path: Path) -> None:
    assert found(attacks.CHECKS, name, attack(cls, tmp_path)).verdict == "fail"
    assert (
        found(attacks.CHECKS, name, attack(faulty_attacks.Step, tmp_path / "s")).verdict == "pass"
    )


@pytest.mark.parametrize(("network", "name"), BROKEN_MODELS)
def test_a_broken_model_fails_its_check(
    network: type[torch.nn.Module], name: str, tmp_path: Path
) -> None:
    case = model(faulty_models.model(network), tmp_path)  # type: ignore[arg-type]
    if name == "audit":  # it is of what was attacked
        found(models.CHECKS, "attacks", case)
    assert found(models.CHECKS, name, case).verdict == "fail"


@pytest.mark.parametrize(("cls", "name"), BROKEN_DATASETS)
def test_a_broken_dataset_fails_its_check(cls: type[Dataset], name: str, tmp_path: Path) -> None:
    assert found(datasets.CHECKS, name, dataset(cls, tmp_path)).verdict == "fail"
    assert (
        found(datasets.CHECKS, name, dataset(faulty_datasets.Good, tmp_path / "s")).verdict
        == "pass"
    )


@pytest.mark.parametrize(
    ("checks", "broken"),
    [
        (defenses.CHECKS, BROKEN_DEFENSES),
        (attacks.CHECKS, BROKEN_ATTACKS),
        (models.CHECKS, BROKEN_MODELS),
        (datasets.CHECKS, BROKEN_DATASETS),
    ],
)
def test_each_check_is_shown_to_fail(
    checks: tuple[Check[Any], ...], broken: list[tuple[object, str]]
) -> None:
    shown = {name for _, name in broken}
    assert {one.name for one in checks} <= shown | SHARED | NOT_BROKEN_HERE
    assert {name for _, name in [*BROKEN_DEFENSES, *BROKEN_MODELS]} >= SHARED
    for one in checks:
        assert one.wants
        assert one.remedy


def test_attacks_that_cannot_run_are_named(tmp_path: Path) -> None:
    one = found(models.CHECKS, "attacks", model(faulty_models.model(faulty_models.Shy), tmp_path))
    assert "fgm: RuntimeError: no gradients here (faulty_models.py:" in one.measured
    assert one.verdict == "fail"


def test_the_distances_of_the_plane_are_those_said() -> None:
    network, shown, distance = plane(None)
    scores = network(torch.from_numpy(shown.x))
    lead = (scores[:, 0] - scores[:, 1]).abs().detach().numpy()
    assert lead == pytest.approx(10 * distance, rel=1e-4)
    assert 0 <= shown.x.min() <= shown.x.max() <= 1


def test_a_brief_attack_has_few_steps() -> None:
    assert brief(ATTACKS.get("mim")).settings["steps"] == 10
    assert brief(ATTACKS.get("pgn")).settings["epochs"] == 1


def test_a_sound_defense_passes_the_command(tmp_path: Path) -> None:
    assert tiny.robench("new", "defense", "my-own", "--out", tmp_path).code == 0
    ended = tiny.robench("check", tmp_path / "my-own" / "my_own.py", "--device", "cpu")
    assert ended.code == 0, ended.out
    lines = ended.out.splitlines()
    assert lines[0].startswith("defense my_own:MyOwn@")
    assert [line.split()[1] for line in lines[1:-1]] == [f"{one.name}:" for one in defenses.CHECKS]
    assert {line.split()[0] for line in lines[1:-1]} == {"pass", "skipped"}
    assert lines[-1].startswith(f"{len(defenses.CHECKS) - 1} pass, 1 skipped in ")


def test_a_failure_is_told_with_its_remedy_and_exits_with_1(tmp_path: Path) -> None:
    assert tiny.robench("new", "dataset", "my-own", "--out", tmp_path).code == 0
    file = tmp_path / "my-own" / "my_own.py"
    file.write_text(file.read_text().replace("astype(np.uint8)", "astype(np.int16)"))
    ended = tiny.robench("check", file)
    assert ended.code == 1
    (line,) = (line for line in ended.out.splitlines() if "FAIL" in line)
    assert line.startswith("  FAIL     types: UserError: data set my_own:MyOwn@")
    assert line.endswith("see the message; decode to uint8 and put the channels first")
    assert "skipped  stable: it does not load; see `types`" in ended.out
    assert ended.err.startswith("Error: 1 pass, 1 fail, 5 skipped in ")


def test_a_name_of_two_kinds_is_asked_back() -> None:
    with pytest.raises(UserError, match="defense and attack; say which: --kind defense"):
        asked("fgm", None, {})
    assert asked("fgm", "attack", {}).kind == "attack"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("nowhere", "nowhere is no defense (robench.defense:Defense), attack"),
        ("./nowhere.py", "there is no file"),
        ("robench.errors:UserError", "robench.errors:UserError is no defense"),
    ],
)
def test_what_is_no_plugin_is_refused(name: str, part: str) -> None:
    ended = tiny.robench("check", name)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert part in ended.err


def test_a_folder_and_a_misspelt_name_say_what_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tiny.robench("new", "defense", "my-defense").code == 0
    for words in (["my-defense"], ["my-defense", "--kind", "defense"]):
        ended = tiny.robench("check", *words)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert ended.err.endswith("say the plugin's file in it: my-defense/my_defense.py\n")
    (tmp_path / "others").mkdir()
    assert "others/FILE.py" in tiny.robench("check", "others").err
    ended = tiny.robench("check", "pgdd")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "; did you mean 'pgd'? `robench ls` lists what is installed" in ended.err
