"""Records of a whole small leaderboard."""

from dataclasses import replace
from pathlib import Path

from recordings import EPS, SPEC, Recorder, drawn, finding, match
from robench.records import Run, RunSpec, Strength


def small_suite(root: Path, spec: RunSpec = SPEC) -> tuple[Run, ...]:
    """Record four defenses: three matched, attacked on both sides and audited; one not matched."""
    recorder = Recorder(root, spec)
    source = recorder.run(seed=1, source=True)
    runs = (
        recorder.run(),
        recorder.run("fgm", {"eps": 0.1, "through_attack": True}, EPS),
        recorder.run("pgd", {"eps": 0.3, "through_attack": True}, EPS),
        recorder.run("pgn", {"c_l": 50.0}, Strength("c_l", "down")),
    )
    for place, run in enumerate(runs[:3]):
        scale, step = 0.15 + 0.1 * place, 5 if place == 2 else 20
        for attack, factor in (("deepfool", 1.2), ("cw", 1.0)):
            far = drawn(place, scale * factor, failing=0.05 * (place == 2))
            recorder.evaluation(run, attack, far, step=step)
            recorder.evaluation(run, attack, drawn(place + 9, 9, failing=0.9), True, source, step)
        for attack, failing in (("fgm", 0.3 + place / 10), ("mim", 0.2 + place / 10)):
            fixed = drawn(place + 20, 0.5, failing=failing)
            recorder.evaluation(run, attack, fixed, False, None, step)
            recorder.evaluation(run, attack, drawn(place + 30, 0.5, 200, 0.7), False, source, step)
        warned = [finding("slow|walk", "warn", "strength")] * (place == 1)
        recorder.audit(run, [finding("clean", "pass"), *warned], step=step)
    recorder.matches(
        [
            match(runs[0]),
            match(runs[1]),
            match(runs[2], "training"),
            replace(match(runs[3], "unmatched", "try --set c_l=20"), accuracy=0.6831),
        ]
    )
    return runs
