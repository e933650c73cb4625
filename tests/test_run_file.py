"""Run files that are wrong end in one line; the published one is right."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import tiny
from robench.errors import UserError
from robench.studies import run_file
from studying import FINAL, MATCHED, TRAIN, WHOLE, carried_out, written


def changed(**given: Any) -> Mapping[str, Any]:
    """Return a run file with some keys changed."""
    return {**WHOLE, **given}


def trains(**given: Any) -> Mapping[str, Any]:
    """Return a run file with some keys of its grid changed."""
    return {**WHOLE, "train": {**TRAIN, **given}}


def evaluates(**given: Any) -> Mapping[str, Any]:
    """Return a run file with some keys of its second evaluation changed."""
    return {**WHOLE, "evaluate": [MATCHED, {**FINAL, **given}]}


SECOND = "evaluate, entry 2: "
WRONG = [
    (changed(titel="A"), "no key 'titel'; did you mean 'title'? There is: title, published, "),
    (changed(title=None), "title is None, not a line of text"),
    (changed(title=" "), "title is ' ', not a line of text"),
    (changed(published="mnist"), "published is 'mnist'; there is: cifar10, cifar100, none"),
    (changed(published=["none"]), "published is ['none']; there is: cifar10, cifar100, none"),
    (changed(train=None), "no trainings; write `train: {defenses: {...}}`"),
    (changed(train=[]), "train: a grid is a list, not a mapping"),
    (trains(defenses={}), "train: no defenses; write"),
    (trains(defenses={"fgg": {}}), "train: no defense called 'fgg'; did you mean 'fgm'?"),
    (trains(defenses={"fgm": {"epz": 1}}), "train: fgm has no setting 'epz'; did you mean"),
    (trains(defenses={"fgm": {"eps": "much"}}), "train: fgm: eps=much is not a number"),
    (trains(epochs=0), "train: --epochs 0 is not at least 1"),
    (trains(runs="here"), "train: no key 'runs'"),
    (trains(epochs=[1, 2]), "train: runs that are never compared (epochs 1, 2); a run file is of"),
    (trains(validation=73), "train: --validation 73 of 72 training images"),
    (changed(evaluate=None), "evaluate: no list; write `evaluate: [{matched_accuracy: 0.70}, "),
    (changed(evaluate={}), "evaluate: no list; write"),
    (changed(evaluate=[]), "evaluate: no list; write"),
    (changed(evaluate=[FINAL] * 101), "evaluate: 101 evaluations, more than 100"),
    (changed(evaluate=[MATCHED, 3]), "evaluate, entry 2 is a int, not a mapping"),
    (changed(evaluate=[MATCHED, {}]), SECOND + "nothing to attack; say --matched-accuracy 0.70,"),
    (evaluates(final=False), SECOND + "nothing to attack; say --matched-accuracy 0.70,"),
    (evaluates(final="yes"), SECOND + "final is 'yes', not true or false"),
    (evaluates(imges=3), SECOND + "no key 'imges'; did you mean 'images'? There is: "),
    (evaluates(dataset="digits"), SECOND + "no key 'dataset'"),
    (evaluates(runs="r"), SECOND + "no key 'runs'"),
    (evaluates(matched_accuracy=70), SECOND + "--matched-accuracy 70 is not between 0 and 1; "),
    (evaluates(matched_accuracy=[0.5, 1.0]), SECOND + "--matched-accuracy 1 is not between"),
    (evaluates(matched_accuracy="0.5"), SECOND + "matched_accuracy is '0.5', not a number or a"),
    (evaluates(matched_accuracy=[]), SECOND + "matched_accuracy is [], not a number or a list"),
    (evaluates(matched_accuracy=True), SECOND + "matched_accuracy is True, not a number"),
    (evaluates(matched_accuracy=float("nan")), SECOND + "--matched-accuracy nan is not between"),
    (evaluates(tolerance=0), SECOND + "--tolerance 0 is not between 0 and 1"),
    (evaluates(attack=["cww"]), SECOND + "no attack called 'cww'; did you mean 'cw'?"),
    (evaluates(attack=[]), SECOND + "attack is [], not a name or a list of them"),
    (evaluates(attack=3), SECOND + "attack is 3, not a name or a list of them"),
    (evaluates(preset="papr"), SECOND + "no installed attack has a preset 'papr'"),
    (evaluates(set={"cw.step": 2}), SECOND + "cw has no setting 'step'; did you mean 'steps'?"),
    (evaluates(set={"cw.steps": "many"}), SECOND + "cw: steps=many is not a whole number"),
    (evaluates(set={"cw.steps": [2]}), SECOND + "set is {'cw.steps': [2]}, not a mapping of"),
    (evaluates(set={"mim.steps": 2}), SECOND + "--set mim.steps: give ATTACK.SETTING, of: cw"),
    (evaluates(images=2.5), SECOND + "images is 2.5, not a whole number"),
    (evaluates(images=37), SECOND + "--images 37 of 36 test images; give 1 to 36"),
    (evaluates(images=0), SECOND + "--images 0 of 36 test images"),
    (evaluates(image_seed=-1), SECOND + "--image-seed -1 is not at least 0"),
    (evaluates(keep=-1), SECOND + "--keep -1 is not at least 0"),
    (evaluates(engine="foolbox"), SECOND + "--engine foolbox is not of robench, art"),
    (evaluates(precision="half"), SECOND + "--precision half is not of auto, bf16, float32"),
    (evaluates(source="nobody"), SECOND + "no defense called 'nobody'"),
    (
        evaluates(matched_accuracy=0.5, source_seed=0),
        SECOND + "the black-box source is the evaluated run folder-baseline-",
    ),
    ([], "a run file is a list, not a mapping"),
    ("title: a\ntitle: b", "title stands twice in one mapping"),
    ("title: [", "is not YAML"),
]


@pytest.mark.parametrize(("content", "said"), WRONG)
def test_a_mistake_is_one_line_before_anything_is_trained(
    content: object, said: str, tints: Path, tmp_path: Path
) -> None:
    file, runs = tmp_path / "wrong.yaml", tmp_path / "runs"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    ended = tiny.robench("run", file, "--runs", runs, "--data-dir", tints, "--device", "cpu")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith(f"Error: {file}: {said}"), ended.err
    assert not [path for path in runs.rglob("*") if path.is_file() and ".cache" not in path.parts]


def test_images_that_are_not_there(tmp_path: Path) -> None:
    ended = carried_out(tmp_path / "nowhere", tmp_path)
    assert ended.code == 2
    assert ended.err.startswith(f"Error: {tmp_path / 'tints.yaml'}: train: there is no folder ")
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize("name", [".yaml", "-a.yaml", "a b.yaml", "a\nb.yaml", f"{'a' * 101}.yml"])
def test_a_name_that_no_record_may_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a study is called as its file, by 1 to 100 letters"):
        run_file.read(written(tmp_path, name), tmp_path / "runs")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read"):
        run_file.read(tmp_path / "none.yaml", tmp_path / "runs")


def test_the_published_run_file_asks_for_what_can_be_had(tmp_path: Path) -> None:
    path = Path(__file__).parents[1] / "leaderboard" / "cifar10.yaml"
    file = run_file.read(path, tmp_path / "runs")
    runs = {(one.defense, *map(str, one.settings.items()), one.seed) for one in file.requests}
    assert len(runs) == len(file.requests)
    seeds: dict[str, set[int]] = {}
    for one in file.requests:
        seeds.setdefault(one.defense, set()).add(one.seed)
    compared = {name: {0, 1, 2} for name in ("baseline", "fgm", "pgd", "pgn")}
    assert seeds == compared | {name: {0} for name in ("trades", "fast-at", "gaussian")}
    assert {one.precision for one in file.requests} == {"bf16"}  # the same runs on every machine
    assert [(one.targets, one.finals) for one in file.campaigns] == [
        *(((0.65, 0.70), False), ((0.65,), False), ((), True)),
    ]


def test_what_an_evaluation_may_say_is_what_the_command_takes() -> None:
    from robench.cli.eval import command
    from robench.studies.evaluations import OPTIONS

    options = {name.lstrip("-").replace("-", "_") for one in command.params for name in one.opts}
    brought = {"model", "model_file", "entry", "name", "mean", "std", "as_is"}
    said = {"quiet", "q", "json"}
    assert set(OPTIONS) == options - {"runs", "data_dir", "device", "dataset"} - brought - said
