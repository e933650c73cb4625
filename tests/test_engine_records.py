"""What records and tables say of the engine and the precision of an attack."""

import json
from dataclasses import MISSING, asdict, fields
from pathlib import Path

import pytest

from recordings import EPS, Recorder, drawn, match
from robench import archive, leaderboard
from robench.conformance import from_json
from robench.errors import UserError
from robench.records import Engine, Evaluation, Precision, Run, evaluation_key
from robench.standings import condition, labels

COMMITTED = Path(__file__).parents[1] / "leaderboard" / "records" / "evaluations"


def test_keys_of_committed_records_stay_what_they_were() -> None:
    paths = {path.stem: path for path in COMMITTED.glob("*.json")}
    assert paths
    for key, path in paths.items():
        record = archive.read_evaluation(path)
        parts = (record.weights, record.attack, record.settings, record.source_weights)
        assert evaluation_key(*parts, record.images, record.engine) == key
    rows = [json.loads(path.read_text()) for path in paths.values()]
    assert any(not {"engine", "precision", "adaptive"} & set(row) for row in rows)  # older than all


def test_another_engine_is_another_key() -> None:
    parts = ("w" * 64, "./mine.py:Mine@0123", {"steps": 5}, None, "i" * 64)
    assert evaluation_key(*parts) == evaluation_key(*parts, "robench")
    assert evaluation_key(*parts, "art").startswith("--mine-py-Mine-art-white-")
    assert evaluation_key(*parts, "art")[-12:] != evaluation_key(*parts)[-12:]


def test_records_may_lack_what_has_a_default_and_nothing_else(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    made = asdict(recorder.evaluation(recorder.run(), "cw", drawn(0, 0.2, 50)))
    defaults = {field.name for field in fields(Evaluation) if field.default is not MISSING}
    assert defaults == {"engine", "precision", "adaptive"}
    old = {name: value for name, value in made.items() if name not in defaults}
    assert from_json(Evaluation, old) == from_json(Evaluation, made)
    for name in old:
        with pytest.raises(UserError, match=f"not a Evaluation record: {name}$"):
            from_json(Evaluation, {key: value for key, value in made.items() if key != name})
    with pytest.raises(UserError, match=r"not a Evaluation record: engines$"):
        from_json(Evaluation, made | {"engines": "art"})


def test_columns_are_told_apart_by_engine_then_by_settings(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    arts: list[tuple[int, Engine]] = [(5, "robench"), (5, "art"), (9, "art")]
    made = [
        recorder.evaluation(run, "cw", drawn(0, 0.2, 50), settings={"steps": steps}, engine=engine)
        for steps, engine in arts
    ]
    named = labels([condition(one) for one in made])
    assert list(named.values()) == ["cw", "cw (ART) (steps=5)", "cw (ART) (steps=9)"]


def two_runs(recorder: Recorder) -> tuple[Run, Run]:
    """Record two runs that match at 0.7."""
    runs = recorder.run(), recorder.run("fgm", {"eps": 0.1}, EPS)
    recorder.matches([match(run) for run in runs])
    return runs


def test_a_footnote_names_the_columns_searched_in_bf16(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for place, run in enumerate(two_runs(recorder)):
        far, fixed = drawn(place, 0.2, 50), drawn(place, 0.5, 50, failing=0.5)
        recorder.evaluation(run, "cw", far, precision="bf16")
        recorder.evaluation(run, "cw", far, engine="art")
        recorder.evaluation(run, "deepfool", far)
        mixed: Precision = "bf16" if place else "float32"
        recorder.evaluation(run, "mim", fixed, minimal=False, precision=mixed)
    page = leaderboard.render(tmp_path)["README.md"].decode()
    assert page.count("Searched in bf16, verified in float32: cw; mim on fgm alone.") == 1


def test_a_footnote_tells_the_sides_apart_where_one_alone_was_searched_in_bf16(
    tmp_path: Path,
) -> None:
    recorder = Recorder(tmp_path)
    for place, run in enumerate(two_runs(recorder)):
        far, source = drawn(place, 0.2, 50), recorder.run(seed=9)
        for attack in ("cw", "deepfool"):
            black: Precision = "bf16" if attack == "deepfool" else "float32"
            recorder.evaluation(run, attack, far, precision="bf16")
            recorder.evaluation(run, attack, far, precision=black, source=source)
    page = leaderboard.render(tmp_path)["README.md"].decode()
    assert page.count("Searched in bf16, verified in float32: cw white-box, deepfool.") == 1


def test_attacks_are_named_with_their_engine(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for place, run in enumerate(two_runs(recorder)):
        recorder.evaluation(run, "cw", drawn(place, 0.2, 50), violations=place)
        recorder.evaluation(run, "cw", drawn(place, 0.1, 50), engine="art", violations=place)
    page = leaderboard.render(tmp_path)["README.md"].decode()
    assert "any of these attacks found: cw, cw (ART)." in page
    assert "| cw (ART) | - | " in page
    assert "cw (ART) on fgm: 1 adversarial images left the box" in page
    assert "\ncw on fgm: 1 adversarial images left the box" in page
