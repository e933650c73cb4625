"""The preset `strong`: which attacks it holds, and under which settings."""

from typing import Any

import pytest

from robench.arsenal import chosen_attacks

STRONG: dict[str, list[dict[str, Any]]] = {
    "apgd": [{"loss": "ce", "steps": 100}, {"loss": "dlr", "steps": 100}],
    "cw": [{"searches": 9, "steps": 100, "warm_start": True, "bisections": 6}],
    "ddn": [{"steps": 100}],
    "walk": [{"steps": 20, "deepfool_steps": 50, "ddn_steps": 20}],
    "robench_attacks.generator:Generator": [
        {"steps": 0, "walk_steps": 20},
        {"steps": 100, "walk_steps": 20},
    ],
}
"""By name; the settings that matter."""


@pytest.mark.parametrize("name", STRONG)
def test_each_runs_once_for_each_of_its_settings(name: str) -> None:
    chosen = chosen_attacks("strong", [name], {})
    assert {attack.name for attack in chosen} == {name}
    assert len(chosen) == len(STRONG[name])
    for attack, wanted in zip(chosen, STRONG[name], strict=True):
        assert wanted.items() <= attack.settings.items()
        assert attack.attack.minimal is (name != "apgd")


def test_a_setting_that_leaves_nothing_to_tell_apart_leaves_one() -> None:
    (only,) = chosen_attacks("strong", ["apgd"], {"apgd.loss": "dlr"})
    assert only.settings["loss"] == "dlr"
