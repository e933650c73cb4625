"""What figures show, read off the axes they are drawn on."""

import math
from collections.abc import Iterator
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import same_color
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from robench.contents import (
    AccuracyNorm,
    AlongTraining,
    Content,
    Curve,
    History,
    Line,
    Mark,
    Moment,
    Panel,
    Point,
    RobustnessCurve,
    Step,
    Track,
)
from robench.drawing import draw, render, seeds
from robench.drawing.style import label, theme, wrapped
from robench.metrics import Interval

LONG = "Figure 5, left: robustness curves, CIFAR-10 (JPEG copy), width 0.25, 8 epochs, seeds 0 to 2"


def about(value: float, half: float = 0.02) -> Interval:
    return Interval(value, value - half, value + half)


def measured(*places: tuple[float, float], variant: int = 0) -> tuple[Point, ...]:
    return tuple(
        Point(variant, about(rho), about(benign), f"eps={place}")
        for place, (rho, benign) in enumerate(places)
    )


SMOOTH = Line("cw", 3, (0.6, 0.3, 0.0), (0.5, 0.2, 0.0), (0.7, 0.4, 0.1))
TRACK = Track("pgd", 1, (Step(0.5, about(0.4), "eps=0.5"), Step(1.5, about(0.1), "eps=1.5")))
ATTACKS = AccuracyNorm("Figure 3", (Panel("fgm, eps=0.5", (0.0, 0.5, 1.0), (SMOOTH,), (TRACK,)),))
CURVE = Curve(
    "cw",
    (
        *measured((0.2, 0.9), (0.35, 0.88), (0.3, 0.85)),
        *measured((0.25, 0.91), (0.4, 0.84), variant=1),
    ),
    (Mark(1, 0.3, 0.92), Mark(1, 0.5, 0.87), Mark(2, 0.2, 0.9)),
)
CURVES = RobustnessCurve(LONG, ("fgm", "pgd", "paper's own"), (CURVE,))
MOMENTS = tuple(Moment(epoch, about(0.1 * epoch), about(0.3 / epoch)) for epoch in (1, 2, 3))
ALONG = AlongTraining("Figure 2", "cw", (History("fgm", 1, MOMENTS), History("pgd", 2, MOMENTS)))
KINDS: dict[str, Content] = {"3": ATTACKS, "5": CURVES, "2": ALONG}


@pytest.fixture(autouse=True)
def themed() -> Iterator[None]:
    """Draw in the theme that `render` sets."""
    with theme():
        yield


def legend(canvas: Canvas) -> list[str]:
    return [text.get_text() for one in canvas.legends for text in one.get_texts()]


def lines(ax: Axes) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in ax.lines}


def places(line: Line2D) -> list[list[float]]:
    """Return the points of a line, (x, y) each."""
    return np.asarray(line.get_xydata()).round(12).tolist()


def bars(ax: Axes) -> list[list[list[float]]]:
    """Return the ends of all error bars."""
    found = [one for one in ax.collections if isinstance(one, LineCollection)]
    return [np.asarray(ends).tolist() for one in found for ends in one.get_segments()]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_data_gives_equal_bytes_that_carry_the_stamp(kind: str) -> None:
    first = render(KINDS[kind], "robench sha256 0123", "svg")
    assert b"robench sha256 0123" in first
    assert b"dc:date" not in first
    assert render(KINDS[kind], "robench sha256 0123", "svg") == first


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    before = dict(mpl.rcParams)
    assert render(AccuracyNorm("", ()), "", "png").startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before


def test_attacks_of_several_budgets_stand_beside_the_minimal_one() -> None:
    canvas = draw(ATTACKS)
    (ax,) = canvas.axes
    assert ax.get_xlabel() == "L2 norm of the perturbation (images in [0, 1])"
    assert (ax.get_ylabel(), ax.get_title()) == ("accuracy", "fgm, eps=0.5")
    assert legend(canvas) == ["cw", "pgd"]
    smooth, track = lines(ax)["cw"], lines(ax)["pgd"]
    assert places(smooth) == [[0.0, 0.6], [0.5, 0.3], [1.0, 0.0]]
    assert places(track) == [[0.5, 0.4], [1.5, 0.1]]
    assert (smooth.get_marker(), track.get_marker()) == ("None", "s")
    assert np.allclose(bars(ax), [[[0.5, 0.38], [0.5, 0.42]], [[1.5, 0.08], [1.5, 0.12]]])
    assert ax.get_xlim()[1] > 1.5
    assert ax.get_ylim() == (0.0, 0.8)


def test_a_track_without_steps_and_a_figure_without_panels_are_drawn_empty() -> None:
    empty = draw(AccuracyNorm("none", (Panel("cw", (), (), (Track("pgd", 0, ()),)),)))
    assert [len(ax.lines) for ax in empty.axes] == [0]
    assert legend(empty) == []
    assert draw(AccuracyNorm("none", ())).axes == []


def test_measured_points_are_joined_in_their_order_with_both_intervals() -> None:
    (ax,) = draw(CURVES).axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "rho: mean L2 norm (images in [0, 1])",
        "benign accuracy",
    )
    fgm = lines(ax)["fgm"]
    assert places(fgm) == [[0.2, 0.9], [0.35, 0.88], [0.3, 0.85]]
    assert len(bars(ax)) == 2 * 5
    assert np.allclose(bars(ax)[0], [[0.18, 0.9], [0.22, 0.9]])


def test_published_points_are_hollow_and_dotted_in_the_colour_of_the_measured() -> None:
    canvas = draw(replace(CURVES, panels=(CURVE, CURVE)))
    for ax in canvas.axes:
        hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
        assert [places(line) for line in hollow] == [[[0.3, 0.92], [0.5, 0.87]], [[0.2, 0.9]]]
        assert {line.get_linestyle() for line in hollow} == {":"}
        pgd = lines(ax)["pgd"]
        assert same_color(hollow[0].get_color(), pgd.get_color())
        assert hollow[0].get_marker() == pgd.get_marker()
        assert pgd.get_markerfacecolor() == pgd.get_color()
    # The third variant was published alone, so that the legend names its hollow points.
    assert legend(canvas) == ["fgm", "pgd", "paper's own", "published (paper)"]


def test_published_points_far_from_the_measured_get_axes_of_their_own() -> None:
    low = tuple(replace(point, benign=about(point.benign.value - 0.4)) for point in CURVE.points)
    canvas = draw(replace(CURVES, panels=(replace(CURVE, points=low),)))
    near, far = canvas.axes
    assert (near.get_title(), far.get_title()) == ("cw: measured", "cw: published (paper)")
    assert near.get_ylim()[1] < far.get_ylim()[0]
    assert len(near.lines) == len(far.lines) == 2
    assert legend(canvas) == ["fgm", "pgd", "paper's own", "published (paper)"]


def test_a_single_point_is_drawn_beside_a_single_published_one() -> None:
    alone = Curve("cw", measured((0.2, 0.5)), (Mark(0, 0.2, 0.9),))
    (ax,) = draw(RobustnessCurve("one", ("_fgm",), (alone,))).axes
    assert [places(line) for line in ax.lines] == [[[0.2, 0.5]], [[0.2, 0.9]]]


def test_the_seeds_of_a_variant_are_dots_within_a_band() -> None:
    first, second = (0.2, 0.9), (0.3, 0.8)
    spread = tuple(
        replace(point, seeds=((rho - 0.02, benign), (rho, benign - 0.03), (rho + 0.02, benign)))
        for point, (rho, benign) in zip(measured(first, second), (first, second), strict=True)
    )
    canvas = draw(RobustnessCurve("seeds", ("fgm",), (Curve("cw", spread),)))
    (ax,) = canvas.axes
    (band,) = [one for one in ax.patches if isinstance(one, PathPatch)]
    assert band.get_path().contains_points([(0.25, 0.84), (0.25, 0.9)]).tolist() == [True, False]
    (dots,) = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert len(places(dots)) == 6
    assert legend(canvas) == ["fgm", "range over seeds (dots)"]
    one = replace(spread[0], seeds=(first,))
    assert legend(draw(RobustnessCurve("seed", ("fgm",), (Curve("cw", (one,)),)))) == ["fgm"]


def test_a_hull_keeps_the_corners_alone_anticlockwise() -> None:
    inside = [(0.5, 0.5), (0.2, 0.7), (0.5, 0.0)]
    square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    assert seeds.hull([*inside, *square[::-1]]) == square
    assert seeds.hull([(1.0, 1.0), (0.0, 0.0), (1.0, 1.0)]) == [(0.0, 0.0), (1.0, 1.0)]


def test_a_band_is_the_union_of_the_hulls_of_neighbours() -> None:
    clouds = [[(0.0, 0.0), (0.0, 1.0)], [(1.0, 0.0), (1.0, 1.0)], [(1.0, 3.0), (2.0, 3.0)]]
    band = seeds.outline(clouds)
    assert isinstance(band, Path)
    assert band.contains_points([(0.5, 0.5), (1.2, 2.0), (0.5, 2.0)]).tolist() == [1, 1, 0]
    assert seeds.outline([[(0.0, 0.0)], [(1.0, 1.0)]]) is None
    assert seeds.outline([]) is None


def test_strengths_stand_beside_their_points_and_cover_nothing() -> None:
    canvas = draw(CURVES)
    (ax,) = canvas.axes
    canvas.draw_without_rendering()
    points = ax.transData.transform([(p.rho.value, p.benign.value) for p in CURVE.points])
    boxes = [text.get_window_extent() for text in ax.texts]
    assert {text.get_text() for text in ax.texts} == {"eps=0", "eps=1", "eps=2"}
    for box in boxes:
        assert not any(box.contains(*point) for point in points)
        assert box.count_overlaps(boxes) == 1  # itself
        assert min(math.dist(point, np.clip(point, box.p0, box.p1)) for point in points) < 12


def test_a_strength_without_room_is_left_out() -> None:
    crowd = measured(*[(0.2 + 1e-5 * place, 0.9) for place in range(30)])
    assert 0 < len(draw(RobustnessCurve("", ("fgm",), (Curve("cw", crowd),))).axes[0].texts) < 5


def test_unmeasurable_points_are_left_out_quietly() -> None:
    lost = Interval(math.nan, math.nan, math.nan)
    points = (*CURVE.points, Point(1, lost, about(0.8), "eps=9"))
    (ax,) = draw(replace(CURVES, panels=(replace(CURVE, points=points),))).axes
    assert "eps=9" not in {text.get_text() for text in ax.texts}


def test_accuracy_and_rho_along_training_share_the_epochs() -> None:
    canvas = draw(ALONG)
    above, below = canvas.axes
    assert above.get_shared_x_axes().joined(above, below)
    assert (above.get_ylabel(), below.get_xlabel()) == ("benign accuracy", "epoch")
    assert below.get_ylabel() == "rho of cw: mean L2\n(images in [0, 1])"
    assert places(lines(above)["fgm"]) == [[1, 0.1], [2, 0.2], [3, 0.3]]
    assert places(lines(below)["pgd"]) == [[1, 0.3], [2, 0.15], [3, 0.1]]
    assert [len(ax.collections) for ax in (above, below)] == [2, 2]  # bands
    assert legend(canvas) == ["fgm", "pgd"]


def test_runs_of_one_variant_differ_by_marker_and_dashes() -> None:
    histories = (*ALONG.histories, History("fgm again", 1, MOMENTS), History("nothing", 0, ()))
    canvas = draw(replace(ALONG, histories=histories))
    first, again = (lines(canvas.axes[0])[name] for name in ("fgm", "fgm again"))
    assert first.get_color() == again.get_color()
    assert first.get_marker() != again.get_marker()
    assert legend(canvas) == ["fgm", "pgd", "fgm again"]


def test_a_single_moment_is_a_point() -> None:
    canvas = draw(AlongTraining("", "cw", (History("fgm", 0, MOMENTS[:1]),)))
    assert [lines(ax)["fgm"].get_marker() for ax in canvas.axes] == ["o", "o"]


def test_odd_names_are_shown_as_they_are_but_not_at_length() -> None:
    assert label("_a\n$b$\x07") == " _a $b$"
    assert len(label("pgn " * 40)) == 40
    content = replace(ATTACKS, panels=(replace(ATTACKS.panels[0], lines=(), tracks=()),))
    named = replace(SMOOTH, label="_$\\frac$ <b>" * 9)
    canvas = draw(replace(content, panels=(replace(content.panels[0], lines=(named,)),)))
    assert legend(canvas) == [label(named.label)]
    assert render(replace(CURVES, variants=("_", "$x", "\n")), "", "svg")


@pytest.mark.parametrize("text", [LONG, "word " * 200, "x" * 500, "", "short"])
def test_titles_are_wrapped_into_the_figure(text: str) -> None:
    canvas = draw(replace(ATTACKS, title=text))
    canvas.draw_without_rendering()
    title = canvas.get_suptitle()
    assert title.count("\n") < 3
    assert title.replace("\n", " ") == text or "…" in title
    assert all(t.get_window_extent().width <= canvas.bbox.width for t in canvas.texts)


def test_wrapped_lines_are_of_about_the_same_length() -> None:
    assert wrapped("one two three four five six", 20) == "one two three\nfour five six"
