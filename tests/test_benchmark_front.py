"""The front of distance against time."""

import math

import pytest

from robench.benchmarking.floor import Pass
from robench.benchmarking.front import front
from robench.benchmarking.row import Row, floored
from robench.drawing.front import render


def row(contest: str, seconds: float, mean: float | None, **more: object) -> Row:
    """Return a row of a front."""
    passes = dict.fromkeys(("forward_float32", "forward_bf16", "backward_float32"), 0.0)
    given = {
        "library": contest.split()[0],
        "attack": "x",
        "budget": "",
        "batch_size": 1,
        "images": 10,
        "complete": True,
        "passes": {**passes, "backward_bf16": 0.0},
        "success": 1.0,
        "accuracy": 0.0,
        "median_l2": mean,
        "violations": 0,
        **more,
    }
    return Row(contest=contest, seconds=seconds, mean_l2=mean, **given)  # type: ignore[arg-type]


def test_front_leaves_out_what_says_nothing_of_all_images() -> None:
    rows = [row("a x", 1.0, 0.4), row("a x", 2.0, 0.3, complete=False), row("b x", 3.0, None)]
    rows += [row("a x", 0.5, 0.2, success=0.9), row("b x", 1.0, 0.61)]  # 1.5 times 0.4 is 0.6
    (curve,) = front(rows, "title").curves
    assert [(point.seconds, point.mean_l2) for point in curve.points] == [(1.0, 0.4)]


def test_front_is_drawn_and_the_same_twice() -> None:
    rows = [row("a x", 1.0, 0.4), row("a x", 9.0, 0.3), row("b x", 3.0, 0.35)]
    content = front(rows, "Distance against time")
    drawn = render(content, "svg")
    assert drawn == render(content, "svg")
    assert drawn.startswith(b"<?xml")
    assert render(content, "png").startswith(b"\x89PNG")


def test_a_row_without_timed_passes_has_no_floor() -> None:
    own = row("a x", 2.0, 0.4, passes={**row("a x", 1, 1).passes, "forward_float32": 4.0})
    assert floored(own, []).floor is None
    done = floored(own, [Pass("forward", "float32", 0.01, 8, "contiguous")])
    assert done.floor == pytest.approx(0.4)
    assert done.floor_ratio is not None
    assert math.isclose(done.floor_ratio, 5.0)
