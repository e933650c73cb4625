"""Files that are handed in: whatever they hold, they end in a line, and nothing lies outside."""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import tiny
from bounds import little_memory, touched, within
from hostile import BOMBS, trap
from robench.outcomes import Outcomes
from robench.submissions import container
from robench.submissions.manifest import MANIFEST
from submitting import falsified, forged, respecified, unsealed, zipped

RUN = "records/folder-fgm-0123456789"


def refused(path: Path, content: bytes, said: str) -> None:
    """Check that a file ends in one line, touches nothing beside itself and takes no memory."""
    path.write_bytes(content)
    before = tiny.snapshot(path.parent)
    with little_memory(), touched() as paths:
        for words in (["verify", path], ["leaderboard", "add", path, "--to", path.parent / "to"]):
            done = tiny.robench(*words)
            assert (done.code, done.err.count("\n")) == (2, 1), done.err
            assert str(path) in done.err
            assert said in done.err
    assert tiny.snapshot(path.parent) == before
    assert [one for one in within(paths, path.parent) if Path(one) != path] == []


NAMES = [
    *("../outside", "/tmp/outside", "records/../../outside", "records/./DONE", f"{RUN}/../DONE"),
    *("records\\..\\outside", "C:\\outside", f"{RUN}/DONE/", "records/notes.md", "README.md"),
    *(f"{RUN}/state.safetensors/x", f"{RUN}/model.pt", f"{RUN}/.lock", "records/.git/config"),
    *(f"{RUN}/\u202eDONE", f"{RUN}/plugin.py", ".github/workflows/x.yml", f"{RUN}/a/DONE"),
    *("records/evaluations/a b.json", f"records/{'a' * 201}/DONE", "records/reproductions/x.json"),
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_no_record_has(name: str, tmp_path: Path) -> None:
    refused(tmp_path / "x.robench", zipped([(MANIFEST, b"{}"), (name, b"x")]), "is no submission")


def link(name: str) -> zipfile.ZipInfo:
    """Return an entry that some programs unpack as a link."""
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return entry


def test_a_link_is_but_a_file_that_is_not_listed(tmp_path: Path) -> None:
    content = zipped([(MANIFEST, b"{}"), (link(f"{RUN}/DONE"), b"/etc/hostname")])
    refused(tmp_path / "x.robench", content, "it names no format")


def patched(content: bytes, at: int, form: str, *numbers: int) -> bytes:
    """Return a zip with other numbers in the last entry of its list."""
    place = content.rindex(b"PK\1\2") + at
    return content[:place] + struct.pack(form, *numbers) + content[place + struct.calcsize(form) :]


def many() -> bytes:
    """Return a zip of more files than are read."""
    return zipped([(f"records/a{number}/DONE", b"") for number in range(container.MEMBERS + 1)])


def long_list() -> bytes:
    """Return a zip that says that its list of files is longer than is read."""
    content = zipped([(MANIFEST, b"{}")])
    return content[:-10] + struct.pack("<I", container.DIRECTORY + 1) + content[-6:]


def overlapping() -> bytes:
    """Return a zip in which two names stand for the same bytes."""
    names = [f"records/evaluations/{name}.npz" for name in ("a", "b")]
    content = zipped([(MANIFEST, b"{}"), *((name, bytes(10_000)) for name in names)])
    first = content.index(b"PK\3\4", 10)
    second = content.index(b"PK\3\4", first + 10)
    start, rest = content[:second], content[content.index(b"PK\1\2") :]
    rest = rest.replace(struct.pack("<I", second), struct.pack("<I", first))
    at = rest.rindex(b"PK\5\6") + 16
    return start + rest[:at] + struct.pack("<I", len(start)) + rest[at + 4 :]


def listing(content: bytes) -> bytes:
    """Return a zip with this manifest."""
    return zipped([(MANIFEST, content)])


PLAIN = zipped([(MANIFEST, b"{}")])
FORMS: dict[str, tuple[Callable[[], bytes], str]] = {
    "compressed": (lambda: zipped([(MANIFEST, b"{}")], zipfile.ZIP_DEFLATED), "compressed"),
    "a bomb": (
        lambda: zipped([(f"{RUN}/final.safetensors", bytes(2**27))], zipfile.ZIP_DEFLATED),
        "compressed",
    ),
    "encrypted": (lambda: patched(PLAIN, 8, "<H", 1), "encrypted"),
    "claims more than it has": (lambda: patched(PLAIN, 20, "<II", *[2**22] * 2), "no submission"),
    "claims two sizes": (lambda: patched(PLAIN, 24, "<I", 2**31), "compressed"),
    "two of one name": (lambda: zipped([(MANIFEST, b"{}"), (MANIFEST, b"[]")]), "of one name"),
    "two names that differ in capitals": (
        lambda: zipped([(f"{RUN}/DONE", b""), (f"{RUN.replace('fgm', 'FGM')}/DONE", b"")]),
        "capitals",
    ),
    "too many files": (many, "more than the 20,000"),
    "too long a list": (long_list, "list of files is longer"),
    "overlapping": (overlapping, "no submission"),
    "a record too large": (
        lambda: zipped([("records/audits/x.json", bytes(2**20 + 1))]),
        "more than the 1,048,576 that are read",
    ),
    "records too large together": (
        lambda: zipped([(f"records/evaluations/{n}.npz", bytes(2**25)) for n in range(9)]),
        "its records have",
    ),
    "half": (lambda: PLAIN[: len(PLAIN) // 2], "no zip, or it is cut short"),
    "empty": (lambda: b"", "no zip"),
    "a pickle": (lambda: trap(Path("sprung")), "no zip"),
    "a zip of nothing": (lambda: zipped([]), "submission.json is missing"),
    "another format": (lambda: zipped([(MANIFEST, b'{"format": 2}')]), "upgrade robench"),
    **{f"bomb {place}": (partial(listing, bomb), MANIFEST) for place, bomb in enumerate(BOMBS)},
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", FORMS)
def test_forms_that_are_not_read(name: str, tmp_path: Path) -> None:
    form, said = FORMS[name]
    refused(tmp_path / "x.robench", form(), said)
    assert not Path("sprung").exists()


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.robench"
    with path.open("wb") as file:
        file.truncate(2**33)
    done = tiny.robench("verify", path)
    assert done.code == 2
    assert "bytes, more than the 2,147,483,647 that are read" in done.err


def test_a_file_cut_short_is_called_so_wherever_it_was_cut(submitted: Path, tmp_path: Path) -> None:
    content = (submitted / "light.robench").read_bytes()
    arrays = content.index(b"PK\5\6")  # ends an .npz among its files
    for size in (arrays // 2, arrays + 22, arrays + 500, len(content) - 30, len(content) - 1):
        refused(tmp_path / "x.robench", content[:size], "cut short")
    refused(tmp_path / "x.robench", content + b"more", "other bytes were put to it")


def bomb() -> bytes:
    """Return arrays that inflate a thousandfold."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, label=np.zeros(2**28, dtype=np.int8))
    return buffer.getvalue()


def test_arrays_that_inflate_are_refused_uninflated(submitted: Path, tmp_path: Path) -> None:
    path, inflating = tmp_path / "x.robench", bomb()

    def change(content: dict[str, bytes]) -> None:
        for number in range(5):
            content[f"records/evaluations/bomb{number}.npz"] = inflating

    forged(submitted / "light.robench", path, change)
    refused(path, path.read_bytes(), "its arrays come to more than 1,073,741,824 bytes")


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.mkdir, (self.place,))  # type: ignore[return-value]


@pytest.mark.parametrize("kind", [".npz", ".samples.npz", ".safetensors"])
def test_a_pickle_is_never_unpickled(kind: str, submitted: Path, tmp_path: Path) -> None:
    path, sprung = tmp_path / "x.robench", tmp_path / "sprung"
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, label=np.array([Trap(sprung)], dtype=object))

    def change(content: dict[str, bytes]) -> None:
        for name in content:
            if name.endswith(kind):
                content[name] = buffer.getvalue() if "npz" in kind else pickle.dumps(Trap(sprung))

    forged(submitted / "heavy.robench", path, change)
    done = tiny.robench("verify", path)
    assert (done.code in (1, 2), done.err.count("\n")) == (True, 1), done.err
    assert not sprung.exists()


@pytest.mark.parametrize("kind", ["model", "dataset"])
@pytest.mark.parametrize("name", ["evil:Evil", "./evil.py:Evil", "evil:Evil@01234567"])
def test_no_module_is_imported_that_a_record_names(
    kind: str, name: str, submitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "x.robench"
    falsified(submitted / "heavy.robench", path, lambda at: respecified(at, **{kind: name}))
    done = tiny.robench("verify", path)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "only plugins that a package registers can be submitted" in done.err


@pytest.mark.parametrize("width", [1e3, 1e6])
def test_no_memory_is_taken_for_a_model_larger_than_its_weights(
    width: float, submitted: Path, tmp_path: Path
) -> None:
    def change(records: Path) -> None:
        respecified(records, model_settings={"width": width})

    path = falsified(submitted / "heavy.robench", tmp_path / "x.robench", change)
    with little_memory():
        done = tiny.robench("verify", path)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert str(path) in done.err
    assert "defect" not in done.err


@pytest.mark.parametrize(
    "changes",
    [
        *({"shape": [3, 8, 80_000_000]}, {"shape": [5, 8, 8]}, {"shape": [3, 0, -8]}),
        *({"shape": [3, 16, 16]}, {"classes": 10**9}, {"classes": 2}, {"classes": -1}),
    ],
)
def test_shapes_that_nothing_has(
    changes: dict[str, object], submitted: Path, tints: Path, tmp_path: Path
) -> None:
    def change(records: Path) -> None:
        for path in records.rglob("manifest.json"):
            unsealed(path, **changes)

    path = falsified(submitted / "heavy.robench", tmp_path / "x.robench", change)
    for more in ([], ["--data-dir", tints, "--runs", tmp_path / "cache"]):
        with little_memory():
            done = tiny.robench("verify", path, *more)
        assert (done.code in (1, 2), done.err.count("\n")) == (True, 1), done.err
        assert "defect" not in done.err


@pytest.mark.parametrize("count", [0, 1])
def test_evaluations_of_hardly_any_image(count: int, submitted: Path, tmp_path: Path) -> None:
    def change(records: Path) -> None:
        for path in (records / "evaluations").glob("*.json"):
            Outcomes.load(path.with_suffix(".npz")).at(np.arange(count)).save(
                path.with_suffix(".npz")
            )
            unsealed(path, count=count)

    path = falsified(submitted / "heavy.robench", tmp_path / "x.robench", change)
    done = tiny.robench("verify", path)
    assert (done.code in (1, 2), done.err.count("\n")) == (True, 1), done.err
    assert "defect" not in done.err
