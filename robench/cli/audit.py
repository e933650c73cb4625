"""`robench audit`."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from robench.cli.options import data_option, device_option, quiet_option, runs_option
from robench.cli.printing import say
from robench.cli.stores import check_runs
from robench.errors import RunFailed, UserError

if TYPE_CHECKING:
    from robench.archive import Archive
    from robench.imported.record import Imported
    from robench.records import Audit


@click.command(name="audit")
@click.argument("run_keys", metavar="[RUN]...", nargs=-1)
@click.option("--list", "listing", is_flag=True, help="Print all checks as Markdown, and end.")
@click.option("--verbose", is_flag=True, help="Show the checks that pass, too.")
@click.option("--model", help="Of a RUN that robench did not train: what builds it.")
@data_option()
@runs_option()
@device_option()
@quiet_option()
def command(
    run_keys: tuple[str, ...],
    model: str | None,
    runs: Path,
    data_dir: Path | None,
    device: str,
    *,
    listing: bool,
    verbose: bool,
) -> None:
    """Check whether the evaluations of RUNs, or of all, can be believed.

    Integrity of the wrapper, strength of the attacks, hidden gradients, comparability. What fails
    one of the first three is not ranked. Exits with 1 where something failed.
    """
    from robench import archive

    if listing:
        from robench.audit.manual import manual

        click.echo(manual(), nl=False)
        return
    check_runs(runs)
    done = []
    found = archive.read(runs)
    wanted = _wanted(found, run_keys, runs)
    trained = _audits(runs, found, wanted, data_dir, device)
    brought = _of_brought(runs, found, run_keys, data_dir, device, model)
    for audit, new in chain(trained, brought):
        say("\n".join(audit_lines(audit, new, passed=verbose)))
        done.append(audit)
    if failed := sum(bool(audit.failed) for audit in done):
        raise RunFailed(
            f"{failed} of {len(done)} checkpoints failed the audit; what failed is not ranked"
        )


def audit_lines(audit: "Audit", new: bool, *, passed: bool) -> Iterator[str]:
    """Yield what an audit found, one line a check; those that passed only if `passed`."""
    count = {
        name: sum(one.verdict == name for one in audit.findings)
        for name in ("fail", "warn", "pass", "skipped")
    }
    state = f"{audit.seconds:.1f} s" if new else "there already"
    said = ", ".join(f"{number} {name}" for name, number in count.items() if number)
    yield f"{audit.run}  step {audit.step}  audit: {said}  {state}"
    for one in audit.findings:
        if passed or one.verdict in ("fail", "warn"):
            wanted = f"(wanted: {one.threshold})" + (f"; {one.remedy}" if one.remedy else "")
            yield f"  {one.verdict:7}  {one.check}: {one.measured} {wanted}"


def _wanted(
    found: "Archive", run_keys: tuple[str, ...], root: Path
) -> dict[str, set[tuple[str, int]]]:
    """Return the evaluated checkpoints by protocol, which share a data set."""
    attacked = {one.evaluation.weights for one in found.results}
    there = {
        run.key: {(run.key, kept.step) for kept in run.checkpoints if kept.sha256 in attacked}
        for run in found.runs.values()
    }
    brought = _attacked(found)
    for key in run_keys or ("",):
        if run_keys and not there.get(key) and key not in brought:
            evaluated = sorted([*brought, *(name for name, steps in there.items() if steps)])
            known = ", ".join(evaluated) or "none"
            raise UserError(f"no evaluated run {key!r} under {root}; there: {known}")
    if not any(there.values()) and not brought:
        raise UserError(
            f"nothing under {root} was attacked; attack it: robench eval --matched-accuracy ..."
        )
    wanted: dict[str, set[tuple[str, int]]] = {}
    for key in run_keys or sorted(there):
        if there.get(key):
            wanted.setdefault(found.runs[key].spec.protocol, set()).update(there[key])
    return wanted


def _audits(
    root: Path,
    found: "Archive",
    wanted: dict[str, set[tuple[str, int]]],
    data_dir: Path | None,
    device: str,
) -> Iterator[tuple["Audit", bool]]:
    from robench.campaign import audits
    from robench.planning import data_of

    for protocol, checkpoints in sorted(wanted.items()):
        runs = [run for run in found.runs.values() if run.spec.protocol == protocol]
        data = data_of(runs[0].spec, data_dir, root, device)
        yield from audits(root, runs, checkpoints, data)


def _attacked(found: "Archive") -> dict[str, "Imported"]:
    """Return the evaluated networks that robench did not train, by key."""
    attacked = {one.evaluation.weights for one in found.results}
    return {key: one for key, one in sorted(found.imported.items()) if one.weights in attacked}


def _of_brought(
    root: Path,
    found: "Archive",
    run_keys: tuple[str, ...],
    data_dir: Path | None,
    device: str,
    model: str | None,
) -> Iterator[tuple["Audit", bool]]:
    """Audit networks that robench did not train: those named, or all that can be built again."""
    from robench.audit.auditing import audited
    from robench.imported.reopening import rebuildable, reopened
    from robench.planning import data_of

    there = _attacked(found)
    if model and len(there.keys() & set(run_keys)) != 1:
        raise UserError(f"--model is of one network; name it as RUN, of: {', '.join(there)}")
    for key, one in there.items():
        if run_keys and key not in run_keys:
            continue
        if not run_keys and not rebuildable(one):
            say(f"{key}  left: built by {one.factory}; robench audit {key} --model ...")
            continue
        data = data_of(one, data_dir, root, device)
        yield audited(root, reopened(root, one, data, model), data, found)
