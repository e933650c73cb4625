"""The leaderboard folder: merged records, and what makes its page stale."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from recordings import EPS, Recorder, drawn, finding, match, rewrite
from robench import leaderboard
from robench.errors import UserError
from robench.runs import read_runs


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Publish and write one defense under one attack."""
    recorder = Recorder(tmp_path / "runs")
    run = recorder.run()
    recorder.evaluation(run, "cw", drawn(0, 0.2, 50))
    recorder.audit(run)
    recorder.matches([match(run)])
    leaderboard.publish(recorder.root, tmp_path / "out")
    leaderboard.write(tmp_path / "out")
    return tmp_path / "out"


def test_notes_open_the_page(out: Path) -> None:
    (out / "records" / "notes.md").write_text("A JPEG copy of the images.\n")
    assert leaderboard.stale(out) == ["README.md differs from its records"]
    leaderboard.write(out)
    page = (out / "README.md").read_text()
    assert page.index("A JPEG copy") < page.index("## digits")
    assert leaderboard.stale(out) == []


def test_a_fresh_leaderboard_is_not_stale(out: Path) -> None:
    assert leaderboard.stale(out) == []


def test_an_edited_page_is_stale(out: Path) -> None:
    page = (out / "README.md").read_text()
    (out / "README.md").write_text(page.replace("0.", "0.9", 1))
    assert leaderboard.stale(out) == ["README.md differs from its records"]


def test_changed_outcomes_make_page_and_figures_stale(out: Path) -> None:
    (path,) = (out / "records" / "evaluations").glob("*.npz")
    drawn(0, 0.21, 50).save(path)
    found = leaderboard.stale(out)
    assert "README.md differs from its records" in found
    assert sum(text.endswith("was drawn from other records") for text in found) == 3
    leaderboard.write(out)
    assert leaderboard.stale(out) == []


def test_missing_and_leftover_figures_are_stale_and_mended(out: Path) -> None:
    first = min((out / "figures").glob("*.svg"))
    first.rename(first.with_name("zzz.svg"))
    assert leaderboard.stale(out) == [
        f"figures/{first.name} is missing",
        "figures/zzz.svg belongs to no record",
    ]
    leaderboard.write(out)
    assert leaderboard.stale(out) == []


def test_publish_copies_records_and_no_weights(out: Path) -> None:
    names = {path.name for path in (out / "records").rglob("*") if path.is_file()}
    assert {"manifest.json", "history.csv", "checkpoints.csv", "DONE"} < names
    assert not any(name.endswith(".safetensors") for name in names)


def test_publish_copies_audits_and_a_new_one_replaces_the_old(out: Path) -> None:
    assert "| 1 | **baseline** | 1 | 50 |" in (out / "README.md").read_text()
    recorder = Recorder(out.parent / "runs")
    (run,) = read_runs(recorder.root)
    audit = recorder.audit(run, [finding("same", "fail")])
    leaderboard.publish(recorder.root, out)
    (copy,) = (out / "records" / "audits").iterdir()
    assert copy.read_bytes() == (recorder.root / "audits" / f"{audit.key}.json").read_bytes()
    assert leaderboard.stale(out) == [
        "README.md differs from its records",
        f"figures/{run.spec.protocol}-ranking.svg belongs to no record",  # nothing is ranked now
    ]
    leaderboard.write(out)
    assert "audit: same failed (0.25, wanted at least 0.5) |" in (out / "README.md").read_text()


def test_publish_leaves_out_what_nothing_refers_to(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "runs")
    kept, other = recorder.run(), recorder.run("fgm", {"eps": 0.1}, EPS)
    gone = recorder.run("pgd")
    for run in (other, gone):
        recorder.audit(run)
    recorder.evaluation(gone, "cw", drawn(0, 0.2, 50))
    (recorder.root / gone.key / "DONE").unlink()
    recorder.matches([match(kept)])
    leaderboard.publish(recorder.root, tmp_path / "out")
    records = tmp_path / "out" / "records"
    assert (records / kept.key / "manifest.json").exists()
    assert not (records / other.key).exists()
    assert not (records / gone.key).exists()
    assert not (records / "evaluations").exists()
    assert not (records / "audits").exists()


def test_publish_merges_with_what_is_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for folder, defense, accuracy, eps in (
        ("first", "fgm", 0.7, 0.1),
        ("first", "pgd", 0.7, 0.1),
        ("second", "pgd", 0.7049, 0.2),
    ):
        recorder = Recorder(tmp_path / folder)
        run = recorder.run(defense, {"eps": eps}, EPS)
        recorder.evaluation(run, "cw", drawn(1, 0.2, 50))
        own = replace(match(run), accuracy=accuracy)
        recorder.matches([own])
        leaderboard.publish(recorder.root, out)
    (path,) = (out / "records" / "matches").iterdir()
    rows = json.loads(path.read_text())["rows"]
    assert [(row["defense"], row["accuracy"]) for row in rows] == [("fgm", 0.7), ("pgd", 0.7049)]
    page = leaderboard.render(out / "records")["README.md"].decode()
    assert "| **fgm** |" in page
    assert "| **pgd** |" in page


def newer(path: Path) -> None:
    content = json.loads(path.read_text()) | {"format": 99}
    rewrite(path, content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def garbage(path: Path) -> None:
    path.write_bytes(b"no archive at all")


def lacking(path: Path) -> None:
    content = json.loads(path.read_text())
    row = content["rows"][0] if "rows" in content else content
    row.pop("step")
    rewrite(path, content)


def other_key(path: Path) -> None:
    content = json.loads(path.read_text()) | {"attack": "mim"}
    rewrite(path, content)


def fewer_images(path: Path) -> None:
    content = json.loads(path.read_text()) | {"count": 3}
    rewrite(path, content)


@pytest.mark.parametrize(
    ("pattern", "damage", "said"),
    [
        ("evaluations/*.json", newer, "newer"),
        ("evaluations/*.json", cut, "cannot be read"),
        ("evaluations/*.json", lacking, "not a Evaluation record: step"),
        ("evaluations/*.json", other_key, "describes the evaluation mim"),
        ("evaluations/*.json", fewer_images, "counts 3 images"),
        ("evaluations/*.npz", garbage, "cannot be read"),
        ("evaluations/*.npz", Path.unlink, "cannot be read"),
        ("audits/*.json", newer, "newer"),
        ("audits/*.json", lacking, "not a Audit record: step"),
        ("matches/*.json", newer, "newer"),
        ("matches/*.json", lacking, "not a Match record: step"),
        ("digits-*/manifest.json", newer, "newer"),
    ],
)
def test_a_damaged_record_is_named_and_nothing_is_written(
    tmp_path: Path, pattern: str, damage: Callable[[Path], None], said: str
) -> None:
    recorder = Recorder(tmp_path / "runs")
    run = recorder.run()
    recorder.evaluation(run, "cw", drawn(0, 0.2, 20))
    recorder.audit(run)
    recorder.matches([match(run)])
    (path,) = recorder.root.glob(pattern)
    damage(path)
    with pytest.raises(UserError, match=re.escape(said)) as error:
        leaderboard.publish(recorder.root, tmp_path / "out")
    assert path.name in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_match_of_a_deleted_run_says_how_to_mend_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    path = recorder.matches([match(run)])
    (tmp_path / run.key / "DONE").unlink()
    with pytest.raises(UserError, match=r"robench eval --matched-accuracy 0\.7") as error:
        leaderboard.render(tmp_path)
    assert path.name in str(error.value)
    assert run.key in str(error.value)


def test_publish_without_a_runs_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--runs"):
        leaderboard.publish(tmp_path / "runs", tmp_path / "out")


def test_checking_imports_nothing_heavy() -> None:
    code = (
        "import sys, robench.leaderboard;"
        "print(sorted({'torch', 'art', 'seaborn', 'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
