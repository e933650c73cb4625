"""Every number of the page can be asked for, and is said as the page says it."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tiny
from recordings import EPS, PAPERS, Recorder, drawn, finding, match, outcomes, small_suite
from robench import archive, leaderboard
from robench.archive import Archive
from robench.errors import UserError
from robench.explanation import Explanation
from robench.markdown import escape, plain
from robench.provenance import explain, explained
from robench.provenance_text import lines
from robench.questions import asked, cells_of

SUMMARY = {
    "rank": "rank",
    "seeds": "seeds",
    "images": "images",
    "benign accuracy": "benign",
    "rho_correct, envelope": "rho_correct_envelope",
    "rho, envelope": "rho_envelope",
    "success rate": "success_envelope",
    "accuracy, envelope at 0.5": "accuracy_envelope at 0.5",
    "s/epoch": "seconds_per_epoch",
    "audit": "audit",
}
PAPER = {
    "accuracy white-box": "accuracy_{}",
    "mean L2 (rho)": "rho_{}",
    "median L2": "median_{}",
    "success rate": "success_{}",
    "rho_correct": "rho_correct_{}",
    "accuracy black-box": "accuracy_black_{}",
    "benign accuracy": "benign",
    "s/epoch": "seconds_per_epoch",
    "images": "images_{}",
    "matched by": "matched_by",
}
INF = np.inf


def seeded(root: Path) -> None:
    """Record what makes rows, attacks and numbers hard to tell apart."""
    recorder = Recorder(root)
    source = recorder.run(seed=9, source=True)
    runs = [recorder.run("gan", {"c": 1.0}, seed=seed) for seed in (0, 1)]
    runs += [recorder.run("gan", {"c": 2.0}, seed=0, variant="gan (mode=text, width=2)")]
    for place, run in enumerate(runs):
        for steps in (10, 100):
            far = drawn(place + steps, 0.3, 60)
            recorder.evaluation(run, "near", far, settings={"steps": steps})
        recorder.evaluation(run, "step", drawn(place, 0.4, 60, 0.5), minimal=False, source=source)
    recorder.evaluation(runs[2], "own", drawn(7, 0.4, 60), adaptive=True)
    recorder.evaluation(runs[0], "hop", drawn(3, 0.2, 20), images="part")
    recorder.evaluation(runs[0], "hop", drawn(3, 0.2, 30), images="other part")
    for run in runs[:2]:
        recorder.audit(run, [finding("slow", "warn", "strength")])
    recorder.matches([match(run) for run in runs])


@pytest.fixture(scope="module", params=[small_suite, seeded])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return the records of a small leaderboard; not to be changed."""
    root = tmp_path_factory.mktemp("board")
    request.param(root)
    return archive.read(root)


def shown(page: str, first: str) -> Iterator[tuple[str, str, str]]:
    """Yield row, attack or nothing, column and cell of the one table that begins so."""
    (table,) = [part for part in page.split("\n\n") if part.startswith(f"| {first} |")]
    header, _, *rows = [re.split(r" \| ", row[2:-2]) for row in table.splitlines()]
    name = ""
    for row in rows:
        own = dict(zip(header, row, strict=True))
        name = own.pop("defense").strip("*") or name
        attack = own.pop("attack", "").strip("*")
        own.pop("not ranked because", None)
        for column, cell in own.items():
            if cell:
                number = SUMMARY[column] if first == "rank" else PAPER[column].format(attack)
                yield plain(name), plain(number), cell


@pytest.mark.parametrize("first", ["rank", "defense"])
def test_every_cell_is_explained_as_the_page_shows_it(found: Archive, first: str) -> None:
    page = leaderboard.render(found.root)["README.md"].decode()
    table = {"rank": "summary", "defense": "paper's columns"}[first]
    cells, told = cells_of(found), 0
    for row, number, cell in shown(page, first):
        if number.endswith("_-"):
            continue  # of a row that is not matched: it has no attacks
        said = [
            one.text
            for group in asked(cells, f"{row} {number}")
            if group[0].row == row
            for one in explained(found, group).shown
            if one.table == table
        ]
        assert plain(cell) in said, (row, number)
        told += 1
    assert told >= 20


def pairs(root: Path) -> None:
    """Record a study of two targets: pairs, curves and what the paper has."""
    recorder = Recorder(root)
    runs = {
        (name, eps): recorder.run(name, {"eps": eps} if eps else {}, EPS if eps else None)
        for name, eps in (("baseline", 0.0), *((n, e) for n in ("fgm", "pgd") for e in (0.1, 0.2)))
    }
    for place, ((name, eps), run) in enumerate(runs.items()):
        far = drawn(place, 0.2 + eps + 0.3 * (name == "pgd"), 60)
        clean = np.where(np.arange(60) < 10 + 100 * eps, 0, far.clean).astype(np.int16)
        distance = np.where(clean == 1, far.distance, 0.0).astype(np.float32)
        measured = replace(far, clean=clean, distance=distance)
        recorder.evaluation(run, "cw", measured, settings=PAPERS)
        recorder.evaluation(run, "near", measured)
        recorder.audit(run)
    for at, eps in ((0.7, 0.1), (0.65, 0.2)):
        own = [run for (name, e), run in runs.items() if e == eps or name == "baseline"]
        recorder.matches([match(run, target=at) for run in own])
    recorder.study("cifar10")


ASKED = {
    **{"difference in rho_correct": "difference", "mean advantage in rho": "advantage"},
    **{"shared accuracies": "shared_accuracies", "share ahead": "share_ahead"},
    **{name: name for name in ("verdict", "images", "seeds", "area", "crossings", "points")},
    **{"s/epoch": "seconds_per_epoch", "s/epoch, paper": "seconds_per_epoch_paper"},
}
BESIDE = {
    **{"over the baseline's": "rho_cw_over_baseline", "rho of cw": "rho_cw"},
    "benign accuracy": "benign",
}


def question(row: str, column: str, at: str) -> str:
    """Return the words for a cell of a table; `at`: the heading that it stands below."""
    measure, _, which = column.rpartition(", ")
    if measure in BESIDE and which == "paper":
        return f"{row} {BESIDE[measure]}_paper"
    if measure == "rho of cw":
        return f"{row} {which.removeprefix('at ')} rho_cw_mean"
    if measure in BESIDE:
        return f"{row} {which.removeprefix('at ')} {BESIDE[measure]}"
    target = re.findall(r"^Matched at benign accuracy (\S+)", at)
    return " ".join([row, *target, ASKED[column]])


def unlike(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield table, question, and cell of the pairs and of what stands beside the paper."""
    known = {
        "Matched": "paired differences",
        "Robustness": "robustness curves",
        "Beside": "beside the paper",
    }
    for below in page.split("\n### ")[1:]:
        for table in below.split("\n\n"):
            if not table.startswith(("| defenses |", "| defense | over")):
                continue
            header, _, *rows = [re.split(r" \| ", row[2:-2]) for row in table.splitlines()]
            for row in rows:
                for column, cell in zip(header[1:], row[1:], strict=True):
                    asks = question(plain(row[0]), column, below)
                    yield known[below.split()[0]], asks, cell


def test_every_cell_of_pairs_and_beside_the_paper_is_explained(tmp_path: Path) -> None:
    pairs(tmp_path)
    found = archive.read(tmp_path)
    cells, told = cells_of(found), Counter[str]()
    page = leaderboard.render(tmp_path)["README.md"].decode()
    for table, asks, cell in unlike(page):
        said = [explained(found, group) for group in asked(cells, asks)]
        assert all(list(lines(one)) for one in said)
        texts = [shown.text for one in said for shown in one.shown if shown.table == table]
        assert plain(cell.replace("**", "")) in texts, asks
        told[table] += 1
    # 3 pairs of 4 columns at 2 targets, 1 pair of 9, 3 variants of 11
    assert told == {"paired differences": 24, "robustness curves": 9, "beside the paper": 33}


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


def one(root: Path, question: str) -> Explanation:
    """Return the one explanation of a question."""
    (said,) = explain(archive.read(root), question)
    return said


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
