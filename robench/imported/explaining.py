"""Where a number of a classifier that robench did not train comes from."""

from collections.abc import Iterator, Sequence

from robench.archive import AUDITS, Archive, Result
from robench.envelope import decided
from robench.explanation import Explanation, Network, Shown, Undecided
from robench.imported import part
from robench.imported.record import IMPORTED, MANIFEST, STEP, WEIGHTS
from robench.imported.standing import Group, Own, groups
from robench.markdown import plain
from robench.meanings import meaning, uncertainty
from robench.measurements import measurement
from robench.paper_table import ENVELOPE
from robench.standings import condition, sections
from robench.summary_table import verdict
from robench.tables import EMPTY, settings

TABLE = "networks that robench did not train"
OWN = "none: robench did not train it; at its own benign accuracy, not ranked"


Number = tuple[tuple[str, ...], str, str, str, tuple[Result, ...]]
"""What it is asked for by, its metric, its column, what the table shows, and what it is of."""


def explain_imported(found: Archive, question: str) -> tuple[Explanation, ...]:
    """Return where the numbers come from that a question asks for; none where it asks for others.

    `question`: the network as its table prints it, or its key, and a number.
    """
    return tuple(
        _explanation(found, group, one, number)
        for group, one, words in _meant(found, question)
        for number in _numbers(group, one)
        if words in number[0]
    )


def numbers_there(found: Archive, question: str, otherwise: str) -> str:
    """Return what can be asked of the network that a question begins with.

    Where it begins with none, `otherwise`, and what networks there are.
    """
    meant = _meant(found, question)
    if not meant:
        names = ", ".join(sorted({one.name for one in found.imported.values()}))
        return f"{otherwise}; not trained by robench: {names}" if names else otherwise
    known = (names[0] for group, one, _ in meant for names, *_ in _numbers(group, one))
    return f"no number {question!r}; {meant[0][1].label} has: {', '.join(dict.fromkeys(known))}"


def _meant(found: Archive, question: str) -> list[tuple[Group, Own, str]]:
    """Return the networks that a question begins with, and the rest of it."""
    words = " ".join(question.split())
    return [
        (group, one, words.removeprefix(name).strip())
        for group in (groups(found, sections(found)) if found.imported else ())
        for one in group.networks
        for name in dict.fromkeys((one.label, one.imported.name, one.imported.key))
        if words == name or words.startswith(f"{name} ")
    ]


def _numbers(group: Group, one: Own) -> Iterator[Number]:
    """Yield the numbers of a network: of the envelope, and of each attack."""
    for (name, column), text in zip(part.header(group), part.line(group, one), strict=True):
        metric = name.partition(" ")[0]
        if metric in ("benign", "images"):
            yield (name,), metric, column, text, one.whole[:1]
        elif metric == "audit" or metric.endswith(ENVELOPE):
            short = (metric,) if len(group.radii) == 1 else ()
            results = () if metric == "audit" else one.results
            yield tuple(dict.fromkeys((name, *short))), metric, column, text, results
    for result in one.results:
        called = group.attacks[condition(result.evaluation)]
        names = dict.fromkeys((called, part.attack_name(group, result)))
        for (metric, column), text in zip(part.ATTACK, part.attack_line(result), strict=True):
            if text != EMPTY:
                yield tuple(f"{metric}_{name}" for name in names), metric, column, text, (result,)


def _explanation(found: Archive, group: Group, one: Own, number: Number) -> Explanation:
    names, metric, column, text, results = number
    measured, enveloped = one.envelope, metric.endswith(ENVELOPE)
    counts: Sequence[int | None] = [None] * len(results)
    if enveloped:
        counts = decided(measured, [result.outcomes for result in results])
    undecided = Undecided(
        one.imported.key,
        misclassified=int((~measured.correct).sum()),
        unfooled=int((~measured.success).sum()),
        count=len(measured.label),
    )
    return Explanation(
        row=one.label,
        number=names[0],
        dataset=group.dataset,
        protocol="",
        target=None,
        shown=(Shown(TABLE, column, plain(text)),),
        meaning=meaning(metric),
        interval=uncertainty(metric, 1) if "[" in text else "",
        remark="",
        networks=(_network(found, one),),
        measurements=tuple(
            measurement(found, result, count) for result, count in zip(results, counts, strict=True)
        ),
        undecided=(undecided,) if enveloped else (),
        pairs=(),
    )


def _network(found: Archive, one: Own) -> Network:
    own, audit = one.imported, one.audit
    path = found.root / IMPORTED / own.key
    from_where = "; ".join(f"{name} {text}" for name, text in part.origin(own).items())
    return Network(
        run=own.key,
        variant=own.name,
        seed=None,
        step=STEP,
        file=str(path / WEIGHTS),
        there=(path / WEIGHTS).is_file(),
        weights=own.weights,
        matched_by=OWN,
        match_record=str(path / MANIFEST),
        dataset=f"{own.dataset} ({settings(own.dataset_settings)})",
        data=own.data,
        model=from_where,
        training="not by robench, and not known to it",
        settings=own.settings,
        environment=own.environment,
        audit=verdict([audit]),
        audit_record=str(found.root / AUDITS / f"{audit.key}.json") if audit else "",
    )
