"""Recipes carried out: what is trained and attacked, what is drawn, and what a second call does."""

import json
import multiprocessing
import shutil
import signal
from pathlib import Path

import pytest

import dying
import robench
import tiny
from recordings import rewrite
from robench import archive, leaderboard
from robench.contents import RobustnessCurve
from robench.errors import UserError
from robench.reproduction import drawn, record
from robench.reproduction.record import Reproduction

RECIPE = """
title: "Everything that can be shown"
section: "3.2 Somewhere"
claim: "Nothing."
dataset: folder
train:
  curve:
    - {defense: baseline, learning_rate: 0.005}
    - {defense: fgm, eps: $eps, learning_rate: 0.005}
    - {defense: pgd, eps: $eps, learning_rate: 0.005}
  one:
    - {defense: baseline, learning_rate: 0.005}
show:
  - {show: robustness, title: Curves, of: curve, attacks: [{attack: deepfool}], published: true}
  - show: table
    of: curve
    match: {to: baseline, below: [0]}
    attacks: [{attack: fgm}, {attack: deepfool}]
    black_box: true
  - {show: accuracy-norm, of: curve, attacks: [{attack: deepfool}], label: strength}
  - {show: along-training, of: one, attacks: [{attack: deepfool}], moments: 2}
  - show: attack-power
    of: one
    attacks:
      - {attack: deepfool}
      - {attack: fgm, eps: [0.2, 0.6]}
      - {attack: mim, steps: [1, 2], eps: [0.1, 0.2]}
  - {show: gallery, of: one, attacks: [{attack: fgm, eps: [0.5, 2]}], pictures: 3}
"""
CHANGES = {
    "width": 0.1,
    "epochs": 2,
    "batch_size": 36,
    "ema": 0.5,
    "images": 9,
    "tolerance": 0.9,
    "eps": "0.1,0.3",
}


def words(recipe: Path, data: Path, runs: Path, *more: object) -> list[object]:
    """Return the command that carries the recipe out, small."""
    pairs = [word for key, value in CHANGES.items() for word in ("--set", f"{key}={value}")]
    given = ["--scale", "smoke", *pairs, "--data-dir", data, "--runs", runs, "--device", "cpu"]
    return ["reproduce", recipe, *given, "--published", "cifar10", *more]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the recipe's file."""
    path = tmp_path_factory.mktemp("recipe") / "mine.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def stock(recipe: Path, tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `runs` and `out` as one call leaves them; not to be changed."""
    root = tmp_path_factory.mktemp("stock")
    ended = tiny.robench(*words(recipe, tints, root / "runs", "--out", root / "out"))
    assert ended.code == 0, ended.err
    assert "mine: Everything that can be shown" in ended.out
    return root


def made(root: Path) -> Reproduction:
    """Return the only reproduction under `root`."""
    (one,) = record.read_all(root)
    return one


def test_the_page_shows_every_part(stock: Path) -> None:
    page = (stock / "out" / "paper" / "mine-folder-smoke.md").read_text()
    assert page.startswith("# Everything that can be shown\n")
    assert "3.2 Somewhere. Nothing." in page
    assert "width 0.1, 2 epochs, 9 test images, seed 0" in page
    figures = sorted(path.name for path in (stock / "out" / "figures").glob("mine-*.svg"))
    assert figures == [f"mine-folder-smoke-{place}.svg" for place in (1, 3, 4, 5, 6)]
    for name in figures:
        assert f"](../figures/{name})" in page
    assert "## Curves" in page
    assert "<br>*paper 0.4196*" not in page  # the table shows no C&W
    assert "<br>*paper 0.6335*" in page  # FGM training under FGM, Table 3
    assert (
        "[Everything that can be shown](paper/mine-folder-smoke.md)"
        in (stock / "out" / "README.md").read_text()
    )


def test_the_page_is_made_from_its_records_alone(stock: Path, tmp_path: Path) -> None:
    out = shutil.copytree(stock / "out", tmp_path / "out")
    assert leaderboard.stale(out) == []
    shutil.rmtree(out / "figures")
    shutil.rmtree(out / "paper")
    assert "paper/mine-folder-smoke.md differs from its records" in leaderboard.stale(out)
    leaderboard.write(out)
    assert leaderboard.stale(out) == []
    again, before = out / "paper", stock / "out" / "paper"
    assert [p.read_text() for p in again.iterdir()] == [p.read_text() for p in before.iterdir()]


def test_every_cell_has_its_records(stock: Path) -> None:
    found, one = archive.read(stock / "runs"), made(stock / "runs")
    assert [len(shown.cells) for shown in one.shown] == [5, 6, 5, 2, 7, 2]
    for shown in one.shown:
        served = drawn.serve(shown, found)
        assert len(served) == len(shown.cells)
        for cell in served:
            assert cell.result.evaluation.run == cell.cell.run
            assert cell.result.evaluation.step == cell.cell.step
            assert (cell.black is not None) == (shown.show == "table")


def test_one_variant_reaches_a_match_for_all_its_strengths(stock: Path) -> None:
    table = made(stock / "runs").shown[1]
    assert {cell.label for cell in table.cells} == {"baseline", "fgm", "pgd"}
    assert len({cell.target for cell in table.cells}) == 1


def test_the_first_varied_setting_runs_along_a_track(stock: Path) -> None:
    cells = made(stock / "runs").shown[4].cells
    tracks = {(cell.track, cell.setting) for cell in cells}
    assert tracks == {
        ("deepfool", ""),
        ("fgm", "eps=0.2"),
        ("fgm", "eps=0.6"),
        *((f"mim (eps={eps})", f"steps={n}") for eps in ("0.1", "0.2") for n in (1, 2)),
    }


def test_moments_are_kept_checkpoints_in_order(stock: Path) -> None:
    found, one = archive.read(stock / "runs"), made(stock / "runs")
    first, last = one.shown[3].cells
    run = found.runs[first.run]
    assert first.step < last.step == run.final.step


def test_a_second_call_changes_nothing(stock: Path, recipe: Path, tints: Path) -> None:
    before = tiny.snapshot(stock)
    del before["runs/reproductions/mine-folder-smoke.json"]
    ended = tiny.robench(*words(recipe, tints, stock / "runs", "--out", stock / "out"))
    assert ended.code == 0, ended.err
    assert "train" not in ended.out
    assert "attack" not in ended.out
    after = tiny.snapshot(stock)
    del after["runs/reproductions/mine-folder-smoke.json"]
    assert before == after


def test_other_seeds_become_bands(stock: Path, recipe: Path, tints: Path, tmp_path: Path) -> None:
    runs = shutil.copytree(stock / "runs", tmp_path / "runs")
    more = ["--set", "seeds=0,1", "--out", tmp_path / "out"]
    ended = tiny.robench(*words(recipe, tints, runs, *more))
    assert ended.code == 0, ended.err
    found, one = archive.read(runs), made(runs)
    content = drawn.content(one, one.shown[0], found, "title")
    assert isinstance(content, RobustnessCurve)
    for point in content.panels[0].points:
        assert len(point.seeds) == 2
        rhos = [rho for rho, _ in point.seeds]
        assert (point.rho.low, point.rho.high) == (min(rhos), max(rhos))
        assert point.rho.value == pytest.approx(sum(rhos) / 2, abs=1e-5)
    page = (tmp_path / "out" / "paper" / "mine-folder-smoke.md").read_text()
    assert "seeds 0, 1" in page
    assert "of several seeds, the mean, from the least to the greatest" in page


def test_published_points_stand_beside_the_first_line_of_a_defense(stock: Path) -> None:
    found, one = archive.read(stock / "runs"), made(stock / "runs")
    content = drawn.content(one, one.shown[0], found, "title")
    assert isinstance(content, RobustnessCurve)
    marks = content.panels[0].published
    assert [mark.rho for mark in marks if mark.variant == content.variants.index("baseline")] == [
        0.178
    ]
    assert len(marks) == 1 + 7 + 8


def test_a_run_that_fails_does_not_stop_the_rest(recipe: Path, tints: Path, tmp_path: Path) -> None:
    text = RECIPE.replace(
        "{defense: pgd, eps: $eps, learning_rate: 0.005}", "{defense: pgd, learning_rate: 1000}"
    )
    path = tmp_path / "failing.yaml"
    path.write_text(text[: text.index("  - show: table")])
    ended = tiny.robench(*words(path, tints, tmp_path / "runs", "--out", tmp_path / "out"))
    assert ended.code == 1
    assert "not trained: pgd (" in ended.err
    assert "training diverged" in ended.err
    page = (tmp_path / "out" / "paper" / "failing-folder-smoke.md").read_text()
    assert "## Not trained" in page
    assert {cell.label for cell in made(tmp_path / "runs").shown[0].cells} == {"baseline", "fgm"}


def test_mistakes_show_before_anything_is_trained(
    recipe: Path, tints: Path, tmp_path: Path
) -> None:
    path = tmp_path / "typo.yaml"
    path.write_text(RECIPE.replace("{attack: fgm, eps: [0.5, 2]}", "{attack: fgm, epz: 2}"))
    for wrong in (path, "figure9"):
        ended = tiny.robench(*words(recipe, tints, tmp_path / "runs"), wrong)
        assert ended.code == 2
        assert "figure5" in ended.err or "no setting 'epz'" in ended.err
        assert ended.err.count("\n") == 1
    assert not list((tmp_path / "runs").glob("folder-*"))


def test_without_a_name_the_recipes_are_listed() -> None:
    ended = tiny.robench("reproduce")
    assert ended.code == 0
    assert "figure5   Figure 5: robustness curves" in ended.out


def test_a_damaged_record_is_named(stock: Path, tmp_path: Path) -> None:
    records = shutil.copytree(stock / "out" / "records", tmp_path / "records")
    path = records / "reproductions" / "mine-folder-smoke.json"
    content = json.loads(path.read_text())
    del content["shown"][0]["cells"][0]["step"]
    rewrite(path, content)
    with pytest.raises(UserError, match=r"mine-folder-smoke\.json is damaged .*step.*delete it"):
        leaderboard.render(records)


def test_killed_at_any_write_it_goes_on_to_the_same_records(
    stock: Path, recipe: Path, tints: Path, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["robench.reproduction.conducting", "torch._dynamo"])
    runs, out = tmp_path / "runs", tmp_path / "out"
    command = words(recipe, tints, runs, "--out", out)
    kills = 0
    for write in (1, 3, 8, 13, 21, 34, 55, 89):
        process = context.Process(target=dying.robench, args=(write, command))
        process.start()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    assert kills > 3
    assert tiny.robench(*command).code == 0
    assert facts(runs) == facts(stock / "runs")


def facts(runs: Path) -> dict[str, object]:
    """Return what was measured, without when, where and how long."""
    found: dict[str, object] = {}
    for path in sorted(runs.rglob("*.json")):
        content = json.loads(path.read_text())
        for own in ("environment", "seconds", "sha256"):
            content.pop(own, None)
        found[str(path.relative_to(runs))] = content
    for path in sorted((*runs.rglob("*.npz"), *runs.rglob("*.safetensors"))):
        if not {".cache", "adversarials"} & set(path.parts):  # the latter hold seconds
            found[str(path.relative_to(runs))] = path.read_bytes()
    return found


def test_from_python(stock: Path, recipe: Path, tints: Path, tmp_path: Path) -> None:
    changes = {key: str(value).split(",") for key, value in CHANGES.items()}
    (page,) = robench.reproduce(
        str(recipe),
        scale="smoke",
        changes=changes,
        data_dir=str(tints),
        device="cpu",
        published="cifar10",
        runs=stock / "runs",
        out=tmp_path,
    )
    assert page == tmp_path / "paper" / "mine-folder-smoke.md"
    assert page.read_text().startswith("# Everything that can be shown\n")
