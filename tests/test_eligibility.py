"""What is not ranked says why, and how to have it ranked."""

from pathlib import Path

import numpy as np

from rankings import at, audited, only, ranked, runs_of
from recordings import Recorder, finding, outcomes
from robench import leaderboard


def test_an_envelope_that_fails_on_too_many_does_not_rank(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    (run,) = runs_of(recorder, ["a"])
    recorder.evaluation(run, "cw", at(1.0, failing=1))
    audited(recorder, [run])
    assert only(ranked(tmp_path)).reasons == (
        "the envelope fails on 2.5% of the correctly classified images (at most 0.5% may be left "
        "out of rho_correct); run: robench eval --matched-accuracy 0.70 --preset strong",
    )
    second = at(2.0)
    second.distance[1:] = np.inf
    second.success[1:] = False
    recorder.evaluation(run, "mim", second)
    audited(recorder, [run])
    assert only(ranked(tmp_path)).rank == 1


def test_a_network_that_is_right_nowhere_is_not_ranked(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    (run,) = runs_of(recorder, ["a"])
    recorder.evaluation(run, "cw", outcomes([False] * 5, [0.0] * 5))
    audited(recorder, [run])
    assert only(ranked(tmp_path)).reasons == ("no image is classified correctly",)


def test_without_an_audit_nothing_is_ranked(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    (run,) = runs_of(recorder, ["a"])
    recorder.evaluation(run, "cw", at(1.0))
    assert only(ranked(tmp_path)).reasons == ("not audited; run: robench audit",)


def test_a_failed_audit_says_what_failed_and_comparability_does_not_count(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    (run,) = runs_of(recorder, ["a"])
    recorder.evaluation(run, "cw", at(1.0))
    recorder.audit(run, [finding("table", "fail", "comparability"), finding("slow", "warn")])
    assert only(ranked(tmp_path)).rank == 1
    recorder.audit(run, [finding("same", "fail"), finding("flat", "fail", "masking")])
    assert only(ranked(tmp_path)).reasons == (
        "audit: same failed (0.25, wanted at least 0.5)",
        "audit: flat failed (0.25, wanted at least 0.5)",
    )


def test_what_was_attacked_since_its_audit_is_audited_again(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["a", "b"])
    for run in runs:
        recorder.evaluation(run, "cw", at(1.0))
    audited(recorder, runs)
    recorder.evaluation(runs[0], "mim", at(0.5))
    assert [entry.rank for entry in ranked(tmp_path).entries] == [1, 1]  # mim does not count yet
    recorder.evaluation(runs[1], "mim", at(0.5))
    for entry in ranked(tmp_path).entries:
        assert entry.reasons == ("attacked since its audit; run: robench audit",)


def test_one_bad_seed_un_ranks_the_defense_and_is_named(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["a"], (0, 1, 2))
    for run in runs:
        recorder.evaluation(run, "cw", at(1.0))
    recorder.audit(runs[0])
    recorder.audit(runs[1], [finding("same", "fail")])
    entry = only(ranked(tmp_path))
    assert entry.reasons == (
        "seed 1: audit: same failed (0.25, wanted at least 0.5)",
        "seed 2: not audited; run: robench audit",
    )
    assert entry.numbers is not None


def test_what_is_not_attacked_or_attacked_alone_says_so(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["a", "b", "c"])
    assert {reason for entry in ranked(tmp_path).entries for reason in entry.reasons} == {
        "not attacked; run: robench eval --matched-accuracy 0.70",
        "not audited; run: robench audit",
    }
    recorder.evaluation(runs[0], "cw", at(1.0))
    recorder.evaluation(runs[1], "mim", at(1.0))
    found = ranked(tmp_path)
    said = "no attack was run on more than half of the rows; "
    said += "run: robench eval --matched-accuracy 0.70"
    assert [entry.reasons[0] for entry in found.entries[:2]] == [said] * 2
    assert found.entries[2].reasons[0].startswith("not attacked; ")


def test_what_a_page_cannot_show_of_its_audits_is_said(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    old, new = runs = runs_of(recorder, ["a", "b"])
    for run in runs:
        recorder.evaluation(run, "cw", at(1.0))
    gone = recorder.evaluation(old, "deepfool", at(2.0))
    recorder.audit(old, [finding("clean_match", "pass")])
    for path in (tmp_path / "evaluations").glob(f"{gone.key}.*"):
        path.unlink()
    recorder.audit(new, [finding("clean_match", "pass"), finding("ended", "warn")])
    page = leaderboard.render(tmp_path)["README.md"].decode()
    assert page.count("Audited before there was the check ended: a.") == 1
    assert page.count("Audited with evaluations that are not shown here: a.") == 1
    recorder.audit(old, [finding("clean_match", "pass"), finding("ended", "pass")])
    assert "Audited" not in leaderboard.render(tmp_path)["README.md"].decode()
