"""The leaderboard's tables as plain data, for programs: unrounded, what is missing None."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from robench.archive import Archive, Result, measure
from robench.imported.standing import Group, Own, groups
from robench.metrics import Interval
from robench.ranking import Entry, Ranking, ranked
from robench.standings import Row, Section
from robench.summary_table import verdict

Json = dict[str, Any]
"""An object of JSON; numbers may be nan or infinite."""
NOT_RANKED = "robench did not train it"


def boards(found: Archive) -> list[Json]:
    """Return one object a table: what was trained and attacked, rows, and their differences.

    Accuracies are fractions, distances L2 norms on [0, 1] images; an interval is an object of
    `value`, `low` and `high`. Rows come as the page has them, the ranked ones first. Networks that
    robench did not train are in tables of their own, with None for what is not known of them.
    """
    everything = ranked(found)
    made = [_board(section, ranking) for section, rankings in everything for ranking in rankings]
    return made + [_own(one) for one in groups(found, [section for section, _ in everything])]


def _board(section: Section, ranking: Ranking) -> Json:
    standing, spec = ranking.counted.standing, section.spec
    measure(one for row in standing.rows for one in row.results)
    differences = [
        {"first": one.first, "second": one.second, "leader": one.leader, **asdict(one.interval)}
        | {"benign": asdict(one.benign)}
        for one in ranking.differences
    ]
    return {
        "dataset": spec.dataset,
        "protocol": spec.protocol,
        "model": spec.model,
        "model_settings": dict(spec.model_settings),
        "epochs": spec.epochs,
        "target": standing.target,
        "tolerance": standing.tolerance,
        "images": standing.count,
        "rows": [_row(ranking, entry) for entry in ranking.entries],
        "unmatched": [asdict(row.match) for row in standing.unmatched],
        "differences": differences,
    }


def _row(ranking: Ranking, entry: Entry) -> Json:
    numbers = entry.numbers
    within = zip(ranking.counted.radii, numbers.accuracy if numbers else (), strict=False)
    return {
        "rank": entry.rank,
        "reasons": list(entry.reasons),
        "variant": entry.variant,
        "defense": entry.rows[0].match.defense,
        "seeds": [row.match.seed for row in entry.rows],
        "benign": _interval(entry.benign),
        "rho_correct": _interval(numbers.rho_correct if numbers else None),
        "rho": _interval(numbers.rho if numbers else None),
        "success": _interval(numbers.success if numbers else None),
        "accuracy": [{"radius": radius, **asdict(one)} for radius, one in within],
        "seconds_per_epoch": entry.seconds_per_epoch,
        "audit": verdict(entry.audits),
        "networks": [_network(row) for row in entry.rows],
    }


def _own(group: Group) -> Json:
    """Return the table of networks that robench did not train."""
    measure(result for one in group.networks for result in one.results)
    unknown = dict.fromkeys(("protocol", "model", "model_settings", "epochs", "target"))
    return {
        "dataset": group.dataset,
        **unknown,
        "tolerance": None,
        "images": max(len(one.envelope.label) for one in group.networks),
        "rows": [_stranger(group, one) for one in group.networks],
        "unmatched": [],
        "differences": [],
    }


def _stranger(group: Group, one: Own) -> Json:
    numbers, imported = one.numbers(group.radii), one.imported
    within = zip(group.radii, numbers.accuracy, strict=True)
    network = dict.fromkeys(("step", "seed", "matched", "validation_accuracy"))
    return {
        "rank": None,
        "reasons": [NOT_RANKED],
        "variant": one.label,
        "defense": None,
        "seeds": [],
        "benign": _interval(numbers.benign),
        "rho_correct": _interval(numbers.rho_correct),
        "rho": _interval(numbers.rho),
        "success": _interval(numbers.success),
        "accuracy": [{"radius": radius, **asdict(found)} for radius, found in within],
        "seconds_per_epoch": None,
        "audit": verdict([one.audit]),
        "networks": [
            {
                "run": imported.key,
                **network,
                "weights": imported.weights,
                "settings": dict(imported.settings),
                "attacks": list(_attacks(one.results)),
            }
        ],
    }


def _network(row: Row) -> Json:
    return {
        "run": row.match.run,
        "step": row.match.step,
        "seed": row.match.seed,
        "matched": row.match.how,
        "validation_accuracy": row.match.accuracy,
        "weights": row.weights,
        "settings": dict(row.run.spec.settings),
        "attacks": list(_attacks(row.results)),
    }


def _attacks(results: Iterable[Result]) -> Iterator[Json]:
    for result in results:
        record = result.evaluation
        yield {
            "evaluation": record.key,
            "attack": record.attack,
            "engine": record.engine,
            "settings": dict(record.settings),
            "white_box": record.white_box,
            "images": record.count,
            **_numbers(result),
        }


def _numbers(result: Result) -> Json:
    return {name: asdict(interval) for name, interval in result.numbers.items()}


def _interval(found: Interval | None) -> Json | None:
    return asdict(found) if found else None
