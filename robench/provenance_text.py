"""Where a number comes from, as lines to read."""

from collections.abc import Iterator, Mapping

from robench.explanation import Explanation, Measurement, Network, Pair, Undecided
from robench.tables import settings, target

UNRECORDED = "not recorded"


def lines(one: Explanation) -> Iterator[str]:
    """Yield the lines of one explanation: the number, its networks, what it is computed from.

    What plugins named cannot break a line.
    """
    for line in _lines(one):
        yield line.replace("\n", " ")


def _lines(one: Explanation) -> Iterator[str]:
    where = f"{one.dataset}, protocol {one.protocol}" if one.protocol else one.dataset
    where += "" if one.target is None else f", matched at {target(one.target)}"
    yield f"{one.row}, {one.number} ({where})"
    for shown in one.shown:
        yield f"  {shown.text}    {shown.table}, column {shown.column!r}"
    yield f"  what: {one.meaning}"
    if one.interval:
        yield f"  interval: {one.interval}"
    yield "  formula: docs/metrics.md"
    if one.remark:
        yield f"  note: {one.remark}"
    if one.pairs:
        yield "differences in rho_correct of the envelope, paired bootstrap"
        yield from (f"  {_pair(pair)}" for pair in one.pairs)
    for network in one.networks:
        yield from _network(network)
    for undecided in one.undecided:
        yield f"envelope of {undecided.run}"
        yield from (f"  {line}" for line in _decided(one, undecided))
    for measurement in one.measurements:
        yield from _measurement(measurement)


def _pair(pair: Pair) -> str:
    said = f"{pair.leader} ahead" if pair.leader else "tie"
    return f"{pair.first} - {pair.second}: {pair.difference}, {said}"


def _network(one: Network) -> Iterator[str]:
    yield f"network {one.run}"
    yield from _facts(network_facts(one))


def network_facts(one: Network) -> dict[str, str]:
    """Return what is known of a network, by what it is called; empty where it is not."""
    absent = "" if one.there else " (not there: records alone)"
    return {
        "variant": one.variant + ("" if one.seed is None else f", seed {one.seed}"),
        "settings": settings(one.settings) or "none",
        "matched by": one.matched_by,
        "match": one.match_record,
        "checkpoint": f"step {one.step}, {one.file}{absent}",
        "weights": f"SHA-256 {one.weights}",
        "data": f"{one.dataset}, hash {one.data}",
        "model": one.model,
        "training": one.training,
        "audit": ", ".join(part for part in (one.audit, one.audit_record) if part),
        **_environment(one.environment, "brought in by" if one.seed is None else "trained by"),
    }


def _decided(one: Explanation, undecided: Undecided) -> Iterator[str]:
    """Yield how many images each attack decides, and how many none does."""
    for found in one.measurements:
        if found.run == undecided.run and found.decides is not None:
            yield f"{found.decides} of {undecided.count} images: {_attack(found)}"
    yield f"{undecided.misclassified} of {undecided.count} images: misclassified before any attack"
    yield f"{undecided.unfooled} of {undecided.count} images: fooled by none"


def _measurement(one: Measurement) -> Iterator[str]:
    yield f"evaluation {one.record}"
    yield from _facts(measurement_facts(one))


def measurement_facts(one: Measurement) -> dict[str, str]:
    """Return what is known of an evaluation, by what it is called; empty where it is not."""
    return {
        "attack": _attack(one),
        "network": f"{one.run}, step {one.step}, SHA-256 {one.weights}",
        "settings": settings(one.settings) or "none",
        "engine": f"{one.engine}, searched in {one.precision}, verified in float32",
        "images": f"{one.count}, hash {one.images}",
        "broke the rules": f"{one.violations} images" if one.violations else "",
        "source": _source(one),
        "seconds": f"{one.seconds:g}",
        "images kept": one.samples or "none",
        **_environment(one.environment, "made by"),
    }


def _attack(one: Measurement) -> str:
    radius = "" if one.radius is None else f" at {one.radius:g}"
    return f"{one.attack}{radius}, {one.side}"


def _source(one: Measurement) -> str:
    if not one.source:
        return ""
    known = "" if one.source_accuracy is None else f", accuracy {one.source_accuracy:.4f}"
    command = f", trained by: {one.source_command}" if one.source_command else ""
    return f"{one.source}{known}, SHA-256 {one.source_weights}{command}"


def _environment(recorded: Mapping[str, str], command: str) -> dict[str, str]:
    """Return the recorded versions, commit and device in one line, the command in another."""
    known = [f"{name} {value}" for name, value in recorded.items() if value and name != "command"]
    return {"on": ", ".join(known), command: recorded.get("command") or UNRECORDED}


def _facts(facts: Mapping[str, str]) -> Iterator[str]:
    yield from (f"  {name}: {' '.join(text.split())}" for name, text in facts.items() if text)
