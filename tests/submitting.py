"""Submissions as their senders make them: honest ones, and changed ones, packed anew."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import subjects
from recordings import Recorder, match
from robench import archive, files
from robench.audit.auditing import audited
from robench.data import Data
from robench.evaluation import NamedAttack, Subject, evaluate
from robench.panel import choose
from robench.records import Evaluation, RunSpec
from robench.runs import SEAL, RunFolder, as_json, read_run, vouch
from robench.submissions import container
from robench.submissions.manifest import MANIFEST
from robench.submissions.selection import networks
from robench_attacks.deepfool import DeepFool
from robench_attacks.fgm import FGM

ATTACKS = (NamedAttack("fgm", FGM(eps=0.5)), NamedAttack("deepfool", DeepFool()))
KEPT = 6
TARGETS = (0.7, 0.605)
ROW = "baseline 0.605"


def attacked(runs: Path, data: Data) -> Subject:
    """Attack and audit the run of seed 0, black-box from that of seed 1, and match it twice."""
    victim, panel = subjects.opened(runs, data), choose(data, None, 0)
    source = subjects.opened(runs, data, seed=1)
    for one in ATTACKS:
        evaluate(runs, victim, one, panel, data=data, keep=KEPT)
    evaluate(runs, victim, ATTACKS[0], panel, source, data=data, keep=KEPT)
    run, recorder = read_run(runs / victim.run.key), Recorder(runs)
    for target in TARGETS:
        near = match(run, target=target, step=run.final.step)
        off = abs(near.accuracy - target)
        recorder.matches([replace(near, tolerance=round(off + 0.01, 3))])
    audited(runs, victim, data, archive.read(runs))
    return victim


def members(path: Path) -> dict[str, bytes]:
    """Return the files of a submission by name."""
    with zipfile.ZipFile(path) as archived:
        return {name: archived.read(name) for name in archived.namelist()}


def signed(content: dict[str, bytes]) -> dict[str, bytes]:
    """Return files with a manifest that fits them, as whoever forges one writes it."""
    listed = json.loads(content[MANIFEST])
    own = {name: one for name, one in content.items() if name != MANIFEST}
    listed["files"] = {name: files.sha256(one) for name, one in own.items()}
    del listed["sha256"]
    return {**own, MANIFEST: as_json(listed).encode()}


def forged(path: Path, out: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """Write a submission whose files were changed, with hashes that fit; return `out`."""
    content = members(path)
    change(content)
    files.write(out, container.packed(signed(content)))
    return out


def falsified(path: Path, out: Path, change: Callable[[Path], object]) -> Path:
    """Write a submission whose unpacked records were changed; return `out`.

    `change` is given their folder. The hashes of runs, of the list and of the zip fit again.
    """
    folder = out.parent / f"{out.stem}-unpacked"
    container.unpack(path, folder)
    change(folder / "records")
    for done in folder.rglob("DONE"):
        vouch(RunFolder(done.parent))
    content = {
        one.relative_to(folder).as_posix(): one.read_bytes()
        for one in folder.rglob("*")
        if one.is_file()
    }
    found = networks(archive.read(folder / "records"))
    listed = json.loads(content[MANIFEST])
    listed["weights"] = {name: kept.sha256 for name, kept in found.items()}
    content[MANIFEST] = json.dumps(listed).encode()
    files.write(out, container.packed(signed(content)))
    return out


def evaluation(records: Path, attack: str) -> Path:
    """Return the record of a white-box evaluation."""
    (found,) = (records / "evaluations").glob(f"{attack}-white-*.json")
    return found


def rewritten(records: Path, change: Callable[[str], str]) -> None:
    """Change the text of all records and their names; the hashes inside JSON fall away.

    Evaluations get the names that their content has then.
    """
    for path in sorted(records.rglob("*")):
        if path.suffix in (".json", ".csv"):
            path.write_text(change(path.read_text()))
        if path.suffix == ".json":
            unsealed(path)
    for path in sorted(records.glob("evaluations/*.json")):
        row = json.loads(path.read_text())
        del row["format"]
        for suffix in (".json", ".npz", ".samples.npz"):
            old, new = path.with_suffix(suffix), Evaluation(**row).key
            if old.exists():
                old.rename(old.with_name(new + suffix))
        for other in records.glob("audits/*.json"):
            other.write_text(other.read_text().replace(path.stem, new))
    for path in sorted(records.rglob("*"), reverse=True):
        if change(path.name) != path.name:
            path.rename(path.with_name(change(path.name)))
    for done in records.rglob("DONE"):
        vouch(RunFolder(done.parent))


def unsealed(path: Path, **changes: object) -> None:
    """Change values of a JSON record and take its hash out, as older ones have none."""
    content = {**json.loads(path.read_text()), **changes}
    content.pop(SEAL, None)
    path.write_text(json.dumps(content))


def respecified(records: Path, **changes: object) -> None:
    """Change the specs of all runs and, wherever they stand, the names that follow from them."""
    names: dict[str, str] = {}
    for path in records.rglob("manifest.json"):
        spec = json.loads(path.read_text())["spec"]
        old, new = RunSpec(**spec), RunSpec(**{**spec, **changes})
        unsealed(path, spec={**spec, **changes})
        names |= {old.key: new.key, old.protocol: new.protocol}

    def change(text: str) -> str:
        for one, other in names.items():
            text = text.replace(one, other)
        return text

    rewritten(records, change)


def zipped(entries: list[tuple[zipfile.ZipInfo | str, bytes]], how: int = 0) -> bytes:
    """Return a zip of these entries, as any program may write it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in entries:
            archive.writestr(name, content, compress_type=how)
    return buffer.getvalue()
