"""Damaged and hostile files of a runs folder, each read by what reads it: one line, never more."""

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from bounds import little_memory
from hostile import BOMBS, cases, ends, mutated, spoilt, trap, words
from recordings import SPEC, Recorder, drawn
from robench import weights
from robench.architecture import Architecture
from robench.errors import UserError
from robench.models.convpool import ConvPool
from robench.outcomes import Outcomes
from robench.records import Checkpoint, Epoch
from robench.runs import RunFolder, read_json, read_rows, read_run
from robench.samples import Samples

SHAPE = (3, 8, 8)
ARCHITECTURE: Architecture = ConvPool(width=0.05)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for what is read."""
    return tmp_path_factory.mktemp("files")


def untouched(place: Path) -> None:
    """Check that no pickle was loaded."""
    assert not (place / "sprung").exists()


def archive(content: dict[str, bytes]) -> bytes:
    """Return a zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            file.writestr(name, data)
    return buffer.getvalue()


def npy(array: object) -> bytes:
    """Return an array as a member of an archive; objects as a pickle."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def claiming(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    """Return the header of an array of that shape, and hardly any of its content."""
    buffer = io.BytesIO()
    header = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + bytes(64)


OUTCOMES = {field.name: npy(getattr(drawn(0, 0.5, 6), field.name)) for field in fields(Outcomes)}
_X = np.zeros((6, *SHAPE), dtype=np.float32)
SAMPLES = {
    **{name: npy(np.arange(6, dtype=np.int16)) for name in ("label", "clean", "predicted")},
    **{"index": npy(np.arange(6, dtype=np.int32)), "image": npy(_X), "adversarial": npy(_X)},
}
ARRAYS = st.sampled_from(
    [
        *(npy(3), npy([]), npy([1.5, 2.5]), npy(["a", "b"]), npy([[1, 2]]), npy([True] * 6)),
        *(npy([np.nan] * 6), npy([2**62] * 6), npy([-5] * 6), npy([1j] * 6), npy([None])),
        *(claiming((10**12,)), claiming((-1,)), claiming((2**62, 2**62)), claiming((0, 10**18))),
        *(claiming((6,), "|O"), claiming((6,), "<M8[ns]"), claiming((6,), "|V100000000")),
        *(b"", b"\x93NUMPY\x09\x09", b"no array", npy(np.zeros(6, dtype=[("a", "i4")]))),
    ]
)
CLIMBING = st.sampled_from(
    ["../../sprung", "/sprung.npy", "label", "label.npy/", "a\\..\\b", "\u202e"]
)
READERS: dict[str, tuple[Callable[[Path], object], dict[str, bytes]]] = {
    "outcomes": (Outcomes.load, OUTCOMES),
    "samples": (Samples.load, SAMPLES),
}


@pytest.mark.parametrize("kind", READERS)
@cases(60)
@given(data=st.data())
def test_arrays_of_another_kind(kind: str, place: Path, data: st.DataObject) -> None:
    reader, valid = READERS[kind]
    members = {f"{name}.npy": content for name, content in valid.items()}
    for _ in range(data.draw(st.integers(1, 2))):
        name = data.draw(st.sampled_from(sorted(members)) | CLIMBING)
        there = members.get(name, OUTCOMES["label"])
        members[name] = data.draw(ARRAYS | spoilt(there) | st.just(npy([_Sprung(place)])))
    path = place / f"{kind}.npz"
    path.write_bytes(archive(members))
    with little_memory():
        ends(kind, lambda: reader(path))
    untouched(place)


class _Sprung:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.place / "sprung"),))


@pytest.mark.parametrize("kind", READERS)
@cases(60)
@given(data=st.data())
def test_archives_with_other_bytes(kind: str, place: Path, data: st.DataObject) -> None:
    reader, valid = READERS[kind]
    content = archive({f"{name}.npy": array for name, array in valid.items()})
    path = place / f"{kind}.npz"
    path.write_bytes(data.draw(spoilt(content) | st.binary(max_size=200)))
    with little_memory():
        ends(kind, lambda: reader(path))


def test_an_array_that_inflates_to_gigabytes_is_refused_unread(place: Path) -> None:
    path = place / "bomb.npz"
    content = bytearray(archive({f"{name}.npy": array for name, array in OUTCOMES.items()}))
    entry = content.index(b"PK\1\2")  # of the directory: the size once inflated at 24
    content[entry + 24 : entry + 28] = struct.pack("<I", 2**31)
    path.write_bytes(content)
    with little_memory(), pytest.raises(UserError, match="inflates to 2,147,48"):
        Outcomes.load(path)


@pytest.mark.parametrize("name", ["claims", "climbs", "pickle"])
def test_arrays_that_claim_climb_or_are_pickles(name: str, tmp_path: Path) -> None:
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    path = place / "outcomes.npz"
    content = {
        "claims": archive({f"{n}.npy": claiming((10**12,)) for n in OUTCOMES}),
        "climbs": archive({f"../../../sprung/{n}.npy": a for n, a in OUTCOMES.items()}),
        "pickle": trap(place / "sprung"),
    }[name]
    path.write_bytes(content)
    with little_memory(), pytest.raises(UserError, match=f"{path} cannot be read"):
        Outcomes.load(path)
    untouched(place)
    assert sorted(tmp_path.rglob("*")) == [place.parent, place, path]


def network() -> torch.nn.Module:
    """Return a small network."""
    return ARCHITECTURE.build(SHAPE, 3)


WEIGHTS = safetensors.torch.save(weights.flatten({"classifier": network()}), {"run": "x"})


def tensors(header: object, rest: bytes = b"") -> bytes:
    """Return a safetensors file of this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def header_of(content: bytes) -> tuple[dict[str, object], bytes]:
    """Return the header of a safetensors file and what follows it."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


KINDS = ["F64", "BF16", "I64", "BOOL", "F8_E4M3", "F8_E8M0", "F4", "C64", "U64", "Z9", "", "\ud800"]


@cases(120)
@given(data=st.data())
def test_headers_of_tensors(place: Path, data: st.DataObject) -> None:
    header, rest = header_of(WEIGHTS)
    how = data.draw(st.sampled_from(["mutate", "kind", "bytes", "raw"]))
    if how == "kind":
        name = data.draw(st.sampled_from(sorted(header.keys() - {"__metadata__"})))
        header[name]["dtype"] = data.draw(st.sampled_from(KINDS))  # type: ignore[index]
        content = tensors(header, rest)
    elif how == "mutate":
        content = tensors(data.draw(mutated(header)), rest)
    else:
        content = data.draw(spoilt(WEIGHTS) if how == "bytes" else st.binary(max_size=200))
    path = place / "weights.safetensors"
    path.write_bytes(content)

    def load() -> None:
        weights.restore(network(), weights.load(path), "classifier", path)

    with little_memory():
        ends("safetensors", load)


@pytest.mark.parametrize("size", [2**40, 2**63, 2**64 - 1, 10**8, 0])
def test_a_header_that_claims_more_than_there_is(size: int, place: Path) -> None:
    path = place / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", size) + WEIGHTS[8:])
    with little_memory(), pytest.raises(UserError, match=f"{path} is not a safetensors file"):
        weights.load(path)


def test_tensors_that_claim_a_terabyte(place: Path) -> None:
    path = place / "weights.safetensors"
    claimed = {"a": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}}
    path.write_bytes(tensors(claimed, bytes(64)))
    with little_memory(), pytest.raises(UserError, match=f"{path} is not a safetensors file"):
        weights.load(path)


@pytest.mark.parametrize("kind", ["folder", "pipe", "sparse", "missing", "device"])
def test_files_that_are_none(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "final.safetensors"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2**43)
    for read in (weights.load, Outcomes.load, read_json):
        with little_memory(), pytest.raises(UserError, match=f"^{path} "):
            read(path)
    with little_memory(), pytest.raises(UserError, match=f"^{path} "):
        read_rows(path, Epoch)


TABLES = {
    "history.csv": (Epoch, "epoch,loss,accuracy,seconds,perturbation\n1,2.0,0.5,8.5,0.1\n"),
    "checkpoints.csv": (
        Checkpoint,
        "run,step,epoch,accuracy,file,sha256,final\nx,5,0.5,0.69,final.safetensors,ab,True\n",
    ),
}


@pytest.mark.parametrize("name", TABLES)
@cases(60)
@given(data=st.data())
def test_tables(name: str, place: Path, data: st.DataObject) -> None:
    kind, text = TABLES[name]
    header, row = text.splitlines()
    cells = row.split(",")
    how = data.draw(st.sampled_from(["cell", "bytes", "raw"]))
    if how == "cell":
        cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(words)
        content = f"{header}\n{','.join(cells)}\n".encode(errors="surrogatepass")
    else:
        content = data.draw(spoilt(text.encode()) if how == "bytes" else st.binary(max_size=200))
    path = place / name
    path.write_bytes(content)
    ends(name, lambda: read_rows(path, kind))


@cases(100)
@given(data=st.data())
def test_json(place: Path, data: st.DataObject) -> None:
    path = place / "record.json"
    path.write_bytes(data.draw(st.sampled_from(BOMBS) | spoilt(b'{"format": 1, "rows": [1]}')))
    with little_memory():
        ends("json", lambda: read_json(path))


@cases(60)
@given(data=st.data())
def test_files_of_a_run(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    root = tmp_path_factory.mktemp("runs")
    folder = RunFolder(root / Recorder(root, SPEC).run("fgm", {"eps": 0.1}).key)
    path = data.draw(st.sampled_from([folder.manifest, folder.history, folder.checkpoints]))
    path.write_bytes(data.draw(spoilt(path.read_bytes()) | st.just(trap(root / "sprung"))))
    ends("run", lambda: read_run(folder.path))
    untouched(root)
