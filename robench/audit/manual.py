"""The documentation of the audit, written from the checks themselves."""

from robench.audit.auditing import CHECKS, IMAGES
from robench.audit.broken import BROKEN
from robench.audit.probing import Probe, words
from robench.markdown import escape, table
from robench.records import Family

HEAD = """# The audit

A robustness number is worth what the attempts to break it were worth. `robench audit`, and
`robench eval` in the end, asks the questions below of every attacked checkpoint. A checkpoint that
**fails** a check of integrity, strength or masking is not ranked, and the leaderboard says why;
what is worth knowing and no reason to refuse is a **warning**. What was found is kept as
`RUNS/audits/RUN-STEP.json`; a checkpoint that is attacked anew is audited anew.

Passing is not a proof: the list is neither necessary nor sufficient (Carlini et al., 2019). A
defense that was built to mislead these very checks can do so; an attack made for it is the better
test (`docs/attacks.md`, adaptive attacks).

This page is written by `robench audit --list` from the checks themselves."""

FAMILIES: dict[Family, tuple[str, str]] = {
    "integrity": (
        "Integrity",
        "Was the network itself attacked, and are the records what they say?",
    ),
    "strength": ("Strength", "Did the attacks do what attacks can do?"),
    "masking": ("Masking", "Does the network hide its gradients, without being harder to fool?"),
    "comparability": (
        "Comparability",
        "May the row stand beside others? None of these un-ranks; an unmatched row has no rank.",
    ),
}
PROBES: dict[Probe, str] = {
    "single_step": "single step",
    "iterative": "iterative attack",
    "longer": "longer search",
    "scores": "random search by scores",
    "labels": "search by labels",
}
BROKEN_HEAD = """## What it catches

Deliberately broken networks (`robench/audit/broken.py`), each around an honestly trained one, are
the audit's own test: those checks have to fail on them, and to pass on the honest network."""
ELSEWHERE = """## Seen to elsewhere

- That attacks are right is tested on networks whose boundary is known in closed form, beside ART's
  and other libraries' (`tests/`, `benchmarks/`), not at every audit.
- Attacks that raise an error end the evaluation: there is no record with failed batches.
- Adversarial images are classified anew in float32 by robench itself; outside the box or the radius
  they count as failures, and a failure is infinitely far, never at 0.
- Rows are ranked by the minimum over all attacks (`docs/metrics.md`), never by one.
- The black-box source is another training run than the row's. In a table, sources differ in seed
  alone.
- Runs of one table share data, model, epochs and optimiser, or are in another table."""


def manual() -> str:
    """Return the page, in Markdown."""
    parts = [HEAD]
    for family, (title, about) in FAMILIES.items():
        rows = [
            [f"`{one.name}`", *map(escape, (one.question, one.threshold, one.remedy, one.source))]
            for one in CHECKS
            if one.family == family
        ]
        header = ["check", "question", "passes", "otherwise", "source"]
        parts += [f"## {title}", about, table(header, rows)]
    probes = "; ".join(f"{name}: `{words(probe)}`" for probe, name in PROBES.items())
    parts.append(
        f"The network is probed with {IMAGES} of the attacked images, of all classes. The attacks "
        f"of the audit itself: {probes}. A share of the images that comes to less than one allows "
        "one."
    )
    return "\n\n".join([*parts, _broken(), ELSEWHERE]) + "\n"


def _broken() -> str:
    """Return which check is there to catch which broken defense."""
    rows = [
        [f"`{name}`", escape(one.about), ", ".join(f"`{check}`" for check in one.caught_by)]
        for name, one in BROKEN.items()
    ]
    return BROKEN_HEAD + "\n\n" + table(["broken defense", "what is wrong", "caught by"], rows)
