"""An evaluation as what stands behind a number, with the files that it is in."""

from robench.archive import EVALUATIONS, Archive, Result
from robench.explanation import Measurement
from robench.samples import samples_path
from robench.standings import condition


def measurement(found: Archive, result: Result, decides: int | None) -> Measurement:
    """Return all that was recorded of an evaluation; `decides`: images, in an envelope."""
    one = result.evaluation
    path = found.root / EVALUATIONS / f"{one.key}.json"
    source = found.source(one.source)
    return Measurement(
        record=str(path),
        run=one.run,
        step=one.step,
        weights=one.weights,
        attack=condition(one).name,
        side="white-box" if one.white_box else "black-box",
        settings=one.settings,
        radius=one.radius,
        engine=one.engine,
        precision=one.precision,
        images=one.images,
        count=one.count,
        violations=one.violations,
        seconds=one.seconds,
        samples=str(samples_path(path)) if samples_path(path).is_file() else "",
        source=one.source or "",
        source_weights=one.source_weights or "",
        source_accuracy=source.final.accuracy if source else None,
        source_command=source.environment.get("command", "") if source else "",
        environment=one.environment,
        decides=decides,
    )
