"""The leaderboard's page from small records made by hand."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recordings import EPS, SPEC, Recorder, drawn, finding, match, outcomes
from robench import leaderboard
from robench.markdown import block, details, escape, table
from robench.records import Strength
from suites import small_suite


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """Render the small suite once; nothing may write into the folder."""
    runs = tmp_path_factory.mktemp("suite")
    small_suite(runs)
    return runs, leaderboard.render(runs)


def readme(runs: Path) -> str:
    page = leaderboard.render(runs)["README.md"].decode()
    return page.replace("\N{NO-BREAK SPACE}", " ")


def line(page: str, *parts: str) -> str:
    """Return the one line that holds all parts."""
    (found,) = [one for one in page.splitlines() if all(part in one for part in parts)]
    return found


def test_the_same_records_give_the_same_bytes(rendered: tuple[Path, dict[str, bytes]]) -> None:
    runs, content = rendered
    assert leaderboard.render(runs) == content
    figures = [name for name in content if name.endswith(".svg")]
    assert len(figures) == 3
    assert all(f"]({name})" in content["README.md"].decode() for name in figures)


def test_the_page_tells_everything_that_makes_rows_comparable(
    rendered: tuple[Path, dict[str, bytes]],
) -> None:
    page = rendered[1]["README.md"].decode()
    for fact in (
        "## digits, convpool, 2 epochs",
        "digits (flip=false, pad=2)",
        "convpool (width=0.25)",
        "2 epochs, batch size 128, Adam 0.0005, moving average 0.998, float32",
        "120 training images held out",
        "**Training runs:** 4 (seed 0)",
        "**Trained on:** CPU, 2 cores\n\n<details><summary>Validation, Training runs, ",
        "torch 2.9.0",
        "Ranked by rho_correct of the envelope: 1 and the number of defenses",
        "any of these attacks found: fgm at 0.5, mim at 0.5, cw, deepfool, fgm at 0.5 black-box, "
        "mim at 0.5 black-box, cw black-box, deepfool black-box.",
        "Black-box images were made on baseline of seed 1",
    ):
        assert fact in page
    assert page.count("\nrobench eval --matched-accuracy 0.70\n") == 1
    assert "<details><summary>Commands</summary>\n\n```sh\nrobench train" in page
    assert "robench train --defense pgd --seed 0" in page


def test_defenses_are_ranked_by_the_envelope_and_say_why_they_are_not(
    rendered: tuple[Path, dict[str, bytes]],
) -> None:
    page = rendered[1]["README.md"].decode()
    assert re.findall(r"^\| ([\d-]) \| (\S+) \| 1 \| (\S+) ", page, re.MULTILINE) == [
        ("1", "**fgm**", "200"),
        ("2", "**baseline**", "200"),
        ("-", "pgd", "200"),
        ("-", "pgn", "-"),
    ]
    assert "the envelope fails on 2.8% of the correctly" in line(page, "| - | pgd |")
    assert line(page, "| 2 | **baseline**").endswith("| 8.50 | pass |  |")


def test_summary_and_figures_stand_open_and_the_rest_unfolds(
    rendered: tuple[Path, dict[str, bytes]],
) -> None:
    page = rendered[1]["README.md"].decode()
    unfolding = re.findall(
        r"<details><summary>([^\n]*)</summary>\n\n(.*?)\n\n</details>", page, re.S
    )
    assert [title for title, _ in unfolding] == [
        "Validation, Training runs, Attacked on, Versions, Protocol",
        "Every attack on every network, in the paper's columns",
        "Paired differences in rho_correct of the envelope, all pairs",
        "What the audits remark (1)",
        "Commands",
    ]
    assert page.count("<details>") == page.count("</details>") == len(unfolding)
    shown = page
    for _, body in unfolding:
        shown = shown.replace(body, "")
    assert "| rank | defense |" in shown
    assert shown.count("](figures/") == 3
    assert "| defense | attack |" not in shown
    assert "| baseline - fgm | -0.0" in unfolding[2][1].replace("\N{NO-BREAK SPACE}", " ")


def test_a_study_gives_the_section_its_title_and_its_command(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    recorder.evaluation(run, "cw", drawn(0, 0.2, 50))
    recorder.matches([match(run)])
    recorder.study(title="Who <wins>?")
    page = readme(tmp_path)
    assert "## Who &lt;wins&gt;? (digits, convpool, 2 epochs)" in page
    assert "```sh\nrobench run main.yaml\nrobench train " in page


def test_a_row_that_found_no_match_says_what_to_try(
    rendered: tuple[Path, dict[str, bytes]],
) -> None:
    page = rendered[1]["README.md"].decode()
    said = "not matched: nearest 0.683 (c_l=50), try --set c_l=20"
    assert page.count(said) == 2
    assert line(page, said, "| - | pgn |")


def test_a_failing_attack_is_marked_and_explained(
    rendered: tuple[Path, dict[str, bytes]],
) -> None:
    page = rendered[1]["README.md"].decode()
    assert line(page, "| - | pgd |").count(" † |") == 2
    assert "†" not in line(page, "| 1 | **fgm** |")
    assert page.count("† More than 0.5% of the correctly classified images were not ") == 1


def test_the_papers_table_shows_hand_computed_numbers(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run("fgm", {"eps": 0.1}, EPS)
    source = recorder.run(seed=1, source=True)
    clean, inf = [False, True, True, True], np.inf
    recorder.evaluation(run, "near", outcomes(clean, [0, 0.25, 0.5, 0.75]), step=5)
    recorder.evaluation(run, "near", outcomes(clean, [0, inf, inf, 9]), source=source, step=5)
    recorder.evaluation(run, "step", outcomes(clean, [0, inf, 0.5, 0.5]), minimal=False, step=5)
    recorder.matches([match(run, "training")])
    page = readme(tmp_path)
    # Wilson's interval for 1 of 4, 2 of 4, 3 of 4 and 3 of 3.
    one, half, most, all3 = "[0.046, 0.699]", "[0.150, 0.850]", "[0.301, 0.954]", "[0.439, 1.000]"
    near = line(page, "|  | near |")
    assert "| near | - | 0.3750 [" in near  # white-box accuracy of a minimal attack is not shown
    assert "] | 0.3750 [" in near  # median of 0, 0.25, 0.5, 0.75
    assert f"| 1.0000 {all3} | 0.5000 [" in near  # success rate, then rho_correct
    assert f"] | 0.5000 {half} |  |  | 4 |  |" in near  # black-box accuracy, number of images
    step = line(page, "| **fgm** | step at 0.5 |")
    assert f"| step at 0.5 | 0.2500 {one} | - | - | 0.6667 " in step
    assert f"| - | not run | 0.7500 {most} | 8.50 | 4 |" in step
    assert "| checkpoint at epoch 0.5 of eps=0.1, validation accuracy 0.6912 |" in step


def test_without_validation_every_table_says_test_accuracy(tmp_path: Path) -> None:
    small_suite(tmp_path, replace(SPEC, validation=0))
    page = readme(tmp_path)
    before_tables = re.findall(r"([^\n]+)\n\n\| (?:rank|defense) \|", page)
    assert len(before_tables) == 2
    assert all("**Matched on TEST accuracy**" in text for text in before_tables)
    assert "validation accuracy" not in page
    assert "final checkpoint of eps=0.1, test accuracy 0.7031" in page


def test_seeds_are_one_entry_and_rows_of_their_own_in_the_papers_table(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = [recorder.run(seed=seed) for seed in (0, 3)]
    for run in runs:
        recorder.evaluation(run, "cw", drawn(run.spec.seed, 0.2, 50))
    recorder.matches([match(run) for run in runs])
    page = readme(tmp_path)
    assert "**Training runs:** 2 (seeds 0, 3)" in page
    assert "| **baseline seed 0** |" in page
    assert "| **baseline seed 3** |" in page
    assert "| - | baseline | 2 | 50 |" in page


def test_only_results_on_the_same_images_stand_side_by_side(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    first, second = recorder.run(), recorder.run("fgm", {"eps": 0.1}, EPS)
    for run in (first, second):
        recorder.evaluation(run, "cw", drawn(1, 0.2, 50))
    recorder.evaluation(first, "cw", drawn(1, 0.2, 80), images="other")
    recorder.matches([match(first), match(second)])
    assert "the same 50 test images" in readme(tmp_path)
    recorder.evaluation(second, "cw", drawn(1, 0.2, 80), images="other")
    assert "the same 80 test images" in readme(tmp_path)


def test_one_attack_under_two_settings_is_told_apart(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    for steps, scale in ((10, 0.3), (100, 0.2)):
        settings = {"steps": steps, "rate": 0.01}
        recorder.evaluation(run, "cw", drawn(1, scale, 50), settings=settings)
    recorder.matches([match(run)])
    page = readme(tmp_path)
    assert "| cw (steps=100) |" in page
    assert "| cw (steps=10) |" in page
    assert r"these attacks found: cw (steps=10), cw (steps=100)." in page


def test_violations_are_told(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    recorder.evaluation(run, "cw", drawn(0, 0.2, 50), violations=3)
    recorder.matches([match(run)])
    assert "cw on baseline: 3 adversarial images left the box or the radius" in readme(tmp_path)


def test_text_of_a_plugin_cannot_break_the_page(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    name = "_a|b\n<img src=x> [c](d) `e` $f$ *g*"
    run = recorder.run("evil", {"x|y": "1"}, Strength("x|y", "up"), variant=name)
    recorder.evaluation(run, "at|tack", drawn(0, 0.2, 50))
    recorder.audit(run, [finding("<b>|_x_", "warn", "masking"), finding("`y`|", "fail")])
    recorder.matches([match(run)])
    content = leaderboard.render(tmp_path)
    page = content["README.md"].decode()
    shown = r"\_a\|b &lt;img src=x&gt; \[c\](d) \`e\` \$f\$ \*g\*"
    assert shown in line(page, "| - |", r"fail: \`y\`\|", r"audit: \`y\`\| failed (0.25, wanted")
    assert r"- **&lt;b&gt;\|\_x\_** (warn): 0.25 on \_a\|b" in page
    assert "<img" not in page
    assert "<b>" not in page
    headers = [row for row in page.splitlines() if row.startswith(("| rank", "| defense"))]
    for header in headers:
        width = len(re.findall(r"(?<!\\)\|", header))
        rows = page[page.index(header) :].split("\n\n")[0].splitlines()
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {width}
    assert len(content) == 3


def test_escape_leaves_plain_names_alone() -> None:
    assert escape("pgn through_attack=false, c_l=50") == "pgn through_attack=false, c_l=50"
    assert escape("a\r\n# b") == r"a \# b"


def test_a_fence_outlasts_the_ticks_inside() -> None:
    assert block(["echo ```\nx"]) == "````sh\necho ``` x\n````"


def test_table_is_markdown() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_no_records_tell_how_to_make_some(tmp_path: Path) -> None:
    content = leaderboard.render(tmp_path / "records")
    assert set(content) == {"README.md"}
    assert "robench eval --matched-accuracy 0.70" in content["README.md"].decode()


def test_what_unfolds_is_titled_by_text_alone() -> None:
    assert details("a <b> *c* d_e", "| x |") == (
        "<details><summary>a &lt;b&gt; &#42;c&#42; d_e</summary>\n\n| x |\n\n</details>"
    )
