"""Every number of the page can be asked for, and is said as the page says it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tiny
from explaining import one, pairs, seeded
from recordings import EPS, Recorder, drawn, match, outcomes
from robench import archive, leaderboard
from robench.errors import UserError
from robench.markdown import escape, plain
from robench.provenance import explain
from robench.provenance_text import lines
from suites import small_suite

INF = np.inf


def test_a_difference_names_the_networks_of_both_sides(tmp_path: Path) -> None:
    pairs(tmp_path)
    said = one(tmp_path, "fgm - pgd 0.65 difference")
    assert [network.variant for network in said.networks] == ["fgm", "pgd"]
    assert {found.attack for found in said.measurements} == {"cw", "near"}
    assert sum(found.decides or 0 for found in said.measurements) == sum(
        one.count - one.misclassified - one.unfooled for one in said.undecided
    )
    assert (said.target, said.remark) == (0.65, "pgd is ahead")
    assert said.shown[0].text.startswith("-0.")
    assert "the same for all networks, and of training seeds where there are" in said.interval
    assert [one.target for one in explain(archive.read(tmp_path), "fgm - pgd difference")] == [
        0.65,
        0.7,
    ]


def test_an_advantage_names_the_final_networks_of_both_curves(tmp_path: Path) -> None:
    pairs(tmp_path)
    said = one(tmp_path, "fgm - pgd advantage")
    assert said.target is None
    assert [(found.variant, found.matched_by) for found in said.networks] == [
        (name, f"none: the final checkpoint of eps={eps}, accuracy 0.7031")
        for name in ("fgm", "pgd")
        for eps in (0.1, 0.2)
    ]
    assert {found.match_record for found in said.networks} == {""}
    assert [found.attack for found in said.measurements] == ["cw"] * 4
    assert said.remark.startswith("curves under cw; ")
    text = list(lines(said))
    assert text[0].endswith(f"(digits, protocol {said.protocol})")
    done = tiny.robench("explain", "fgm - pgd advantage", "--runs", tmp_path, "--json")
    assert json.loads(done.out)[0]["target"] is None
    done = tiny.robench("explain", "fgm - pgd advantage", "--runs", tmp_path, "--target", "0.7")
    assert done.code == 2


def test_a_ratio_names_the_baseline_too_and_the_papers_its_table(tmp_path: Path) -> None:
    pairs(tmp_path)
    said = one(tmp_path, "pgd 0.65 rho_cw_over_baseline")
    assert [found.variant for found in said.networks] == ["pgd", "baseline"]
    assert [found.attack for found in said.measurements] == ["cw", "cw"]
    said = one(tmp_path, "baseline 0.65 rho_cw_over_baseline")
    assert len(said.networks) == len(said.measurements) == 1
    said = one(tmp_path, "pgd rho_cw_paper")
    assert (said.shown[0].text, said.networks) == ("0.4091", ())
    assert said.remark.startswith("Table 3 of the paper, pgd; networks of full width")
    costs = explain(archive.read(tmp_path), "pgd seconds_per_epoch")
    assert [one.target for one in costs] == [0.65, 0.7, None]
    assert len(costs[-1].networks) == 2


def test_a_number_names_its_record_network_and_commands(tmp_path: Path) -> None:
    _, fgm, *_ = small_suite(tmp_path)
    said = one(tmp_path, "fgm accuracy_black_mim")
    (network,), (measured,) = said.networks, said.measurements
    assert (network.run, network.step, network.weights) == (fgm.key, 20, fgm.final.sha256)
    assert network.file == str(tmp_path / fgm.key / "final.safetensors")
    assert network.there
    assert network.data == fgm.spec.data
    assert network.environment["command"] == "robench train --defense fgm --seed 0"
    assert network.audit == "warn: slow|walk"
    assert network.audit_record == str(tmp_path / "audits" / f"{fgm.key}-0000020.json")
    assert network.matched_by == "final checkpoint of eps=0.1, validation accuracy 0.7031"
    record = archive.read_evaluation(Path(measured.record))
    assert (record.attack, record.white_box, record.weights) == ("mim", False, fgm.final.sha256)
    assert (measured.side, measured.images, measured.count) == ("black-box", "i" * 64, 200)
    assert measured.source_weights == record.source_weights
    assert measured.source_accuracy == 0.7031
    assert measured.source_command == "robench train --defense baseline --seed 1"
    assert measured.environment["commit"] == "0123abcd"
    assert said.interval.startswith("95 %, Wilson's score interval")
    text = "\n".join(lines(said))
    for part in (record.key, fgm.final.sha256, "i" * 64, "d" * 64, "torch 2.9.0", "CPU, 2 cores"):
        assert part in text
    assert "made by: robench eval --matched-accuracy 0.70" in text
    assert "mim at 0.5, black-box" in text


def test_an_envelope_tells_how_many_images_each_attack_decides(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    clean = [False, True, True, True, True]
    recorder.evaluation(run, "near", outcomes(clean, [0, 0.5, 0.5, 2.0, INF]))
    recorder.evaluation(run, "step", outcomes(clean, [0, INF, 0.5, 0.5, INF]), minimal=False)
    recorder.evaluation(run, "tail", outcomes(clean, [0, 1.0, 0.5, 9.0, INF]))
    recorder.matches([match(run)])
    said = one(tmp_path, "baseline rho_envelope")
    by = {measured.attack: measured.decides for measured in said.measurements}
    assert by == {"step": 2, "near": 1, "tail": 0}  # the fixed budget first, as in the table
    (undecided,) = said.undecided
    assert (undecided.misclassified, undecided.unfooled, undecided.count) == (1, 1, 5)
    text = "\n".join(lines(said))
    assert "2 of 5 images: step at 0.5, white-box" in text
    assert "1 of 5 images: misclassified before any attack" in text
    assert [measured.decides for measured in one(tmp_path, "baseline rho_near").measurements] == [
        None
    ]


def test_a_rank_lists_its_differences(tmp_path: Path) -> None:
    small_suite(tmp_path)
    said = one(tmp_path, "baseline rank")
    (pair,) = said.pairs
    assert {pair.first, pair.second} == {"baseline", "fgm"}
    assert pair.leader == "fgm"
    assert said.shown[0].text == "2"
    assert f"  {pair.first} - {pair.second}: {pair.difference}, fgm ahead" in lines(said)
    assert "the envelope fails on 2.8%" in one(tmp_path, "pgd rank").remark
    assert one(tmp_path, "pgn rank").remark == (
        "not matched: nearest 0.683 (c_l=50), try --set c_l=20"
    )


def test_seeds_and_variants_of_a_defense_are_told_apart(tmp_path: Path) -> None:
    seeded(tmp_path)
    found = archive.read(tmp_path)

    def rows(question: str) -> list[str]:
        return [said.row for said in explain(found, question)]

    text = "gan (mode=text, width=2) seed 0"
    assert rows("gan seed 1 rho_near (steps=10)") == ["gan seed 1"]
    assert rows("gan  rho_near  (steps=10)") == ["gan seed 0", "gan seed 1"]
    assert rows("gan rho_envelope") == ["gan"]  # the summary has a row of that name
    assert rows("gan (mode=text, width=2) median_envelope") == [text]
    assert rows(f"{text} rho_own") == [text]
    both = explain(found, "gan seed 0 rho_hop")
    assert [one.measurements[0].count for one in both] == [20, 30]
    assert one(tmp_path, "gan seed 0 rho_hop on 20 images").measurements[0].count == 20
    seeds = one(tmp_path, "gan rho_envelope")
    assert [network.seed for network in seeds.networks] == [0, 1]
    assert "mean over 2 seeds" in seeds.interval
    assert "not audited" in one(tmp_path, f"{text} rho_own").networks[0].audit


def test_a_defense_asks_for_all_of_its_variants(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = [recorder.run("gan", {"c": c}, variant=f"gan (c={c:g})") for c in (1.0, 2.0)]
    for run in runs:
        recorder.evaluation(run, "near", drawn(0, 0.2, 20))
    recorder.matches([match(run) for run in runs])
    said = explain(archive.read(tmp_path), "gan rho_near")
    assert [found.row for found in said] == ["gan (c=1)", "gan (c=2)"]


def test_each_target_is_said_unless_one_is_asked_for(tmp_path: Path) -> None:
    small_suite(tmp_path)
    found = archive.read(tmp_path)
    Recorder(tmp_path).matches(
        [replace(one, target=0.605, tolerance=0.1) for one in found.matches if one.how == "final"]
    )
    found = archive.read(tmp_path)
    assert [one.target for one in explain(found, "fgm rho_cw")] == [0.605, 0.7]
    assert [one.target for one in explain(found, "fgm rho_cw", 0.605)] == [0.605]
    for question in ("fgm 0.7 rho_cw", "fgm 0.70 rho_cw"):
        assert [one.target for one in explain(found, question)] == [0.7]
    with pytest.raises(UserError, match=r"--target 0.5: .*; matched at 0.605, 0.70"):
        explain(found, "fgm rho_cw", 0.5)


def test_what_is_missing_says_how_to_fill_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = [recorder.run(name, strength=EPS) for name in ("a", "b", "c")]
    for place, run in enumerate(runs):
        recorder.evaluation(run, "near", drawn(place, 0.2))
        if place:
            recorder.evaluation(run, "far", drawn(place, 0.4))
    recorder.matches([match(run) for run in runs])
    assert one(tmp_path, "a rho_far").remark == "not run; run: robench eval --matched-accuracy 0.70"
    assert one(tmp_path, "a accuracy_near").remark.startswith("left out on purpose")
    assert one(tmp_path, "a rho_envelope").remark.startswith("not attacked by far; run: robench")
    assert one(tmp_path, "b accuracy_black_near").remark == (
        "not run; run: robench eval --matched-accuracy 0.70 --attack near"
    )


def test_unknown_rows_and_numbers_list_those_there_are(tmp_path: Path) -> None:
    small_suite(tmp_path)
    for question, parts in {
        "fgm rho_cx": ("no number 'fgm rho_cx'; fgm has: rank, ", "rho_cw, ", "accuracy_fgm at"),
        "fgm": ("no number 'fgm'; fgm has: rank, ",),
        "nothing rho_cw": ("no row begins 'nothing rho_cw'; there: fgm, baseline, pgd, pgn.",),
        "": ("no row begins ''",),
    }.items():
        done = tiny.robench("explain", question, "--runs", tmp_path)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        for part in parts:
            assert part in done.err
    done = tiny.robench("explain", "fgm rank", "--out", tmp_path / "nowhere")
    assert done.code == 2
    assert "no records in" in done.err
    (tmp_path / "empty").mkdir()
    done = tiny.robench("explain", "fgm rank", "--runs", tmp_path / "empty")
    assert done.code == 2
    assert "holds no table; match and attack first" in done.err


def test_the_command_reads_a_leaderboard_or_runs_and_prints_json(tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "board"
    small_suite(runs)
    leaderboard.publish(runs, out)
    done = tiny.robench("explain", "fgm", "rho_cw", "--out", out, "--target", "0.7")
    assert done.code == 0
    assert done.out.startswith("fgm, rho_cw (digits, protocol ")
    assert "(not there: records alone)" in done.out
    done = tiny.robench("explain", "fgm rho_cw", "--runs", runs, "--json")
    (row,) = json.loads(done.out)
    assert row["networks"][0]["there"] is True
    assert row["shown"][0]["text"] in "\n".join(lines(one(runs, "fgm rho_cw")))
    assert (row["row"], row["number"], row["target"]) == ("fgm", "rho_cw", 0.7)


def test_text_of_a_plugin_cannot_steer_the_terminal(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    name = "evil\x1b[2J|`x`"
    run = recorder.run("evil", variant=name)
    recorder.evaluation(run, "at\x1b]0;y", drawn(0, 0.2, 20))
    recorder.matches([match(run)])
    done = tiny.robench("explain", f"{name} rank", "--runs", tmp_path)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert r"evil\x1b[2J|`x`, rank" in done.out


@pytest.mark.parametrize("text", ["a|b", r"\_x_ `c` &lt; <b> $d$ \\|", "*", "a_b", "[1,\xa02]"])
def test_plain_undoes_escaping(text: str) -> None:
    assert plain(escape(text)) == text.replace("\xa0", " ")
