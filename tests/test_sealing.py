"""No bit of a record changes unnoticed: it is refused, by the file's name, or says the same."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from recordings import Recorder, drawn
from robench import arrays, figures, runs, sealing, weights
from robench.contents import AccuracyNorm
from robench.errors import UserError
from robench.outcomes import Outcomes
from robench.runs import RunFolder

READ_JSON = {"name": "fgm", "eps": 1e-05, "settings": {"steps": 3, "é": [1.5, None, True]}}
IMAGES = torch.linspace(0, 1, 12).reshape(2, 6)


def flips(content: bytes) -> Iterator[bytes]:
    """Yield `content` with one bit changed, in every byte once."""
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        yield bytes(changed)


def noticed(path: Path, read: Callable[[], object], *, cuts: int = 40) -> int:
    """Change and truncate a file; check that reading names it or gives the same; count refusals."""
    whole, right, refused = path.read_bytes(), read(), 0
    truncated = [whole[:size] for size in range(0, len(whole), max(1, len(whole) // cuts))]
    for changed in [*flips(whole), *truncated]:
        path.write_bytes(changed)
        try:
            same, said = read() == right, ""
        except UserError as error:
            same, said = False, str(error)
        assert same or str(path) in said
        refused += not same
    path.write_bytes(whole)
    assert read() == right
    return refused


def test_every_changed_bit_of_json_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    runs.write_json(path, READ_JSON)
    assert runs.read_json(path) == {"format": 1, **READ_JSON}

    def read() -> dict[str, object]:
        content = runs.read_json(path)
        if odd := content.keys() - {"format", *READ_JSON}:  # as records refuse an unknown field
            raise UserError(f"{path}: {odd}")
        return content

    assert noticed(path, read) >= path.stat().st_size


def test_every_changed_bit_of_arrays_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.npz"
    drawn(1, 0.2, count=5).save(path)

    def read() -> list[tuple[str, list[object]]]:
        found = Outcomes.load(path)
        return [(name, value.tolist()) for name, value in vars(found).items()]

    assert noticed(path, read) >= path.stat().st_size


def test_every_changed_bit_of_sealed_tensors_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "made.safetensors"
    weights.save_sealed(path, {"images": IMAGES, "seconds": torch.tensor(1.5)}, {"source": "a"})

    def read() -> dict[str, object]:
        found = weights.load_sealed(path, ("images",))
        return {name: tensor.tolist() for name, tensor in found.items()}

    assert noticed(path, read) > 0.5 * path.stat().st_size


def test_every_changed_bit_of_a_finished_run_s_records_is_noticed(tmp_path: Path) -> None:
    run = Recorder(tmp_path).run("fgm", {"eps": 0.1})
    folder = RunFolder(tmp_path / run.key)
    for path in (folder.manifest, folder.history, folder.checkpoints, folder.done):
        before, refused = path.read_bytes(), 0
        for changed in (*flips(before), before[:-1], before[:20]):
            path.write_bytes(changed)
            with pytest.raises(UserError, match=re.escape(f"{folder.done} tells of")) as told:
                runs.read_run(folder.path)
            assert "delete the run folder and train again" in str(told.value)
            assert path == folder.done or f"{path} is not" in str(told.value)
            refused += 1
        assert refused > len(before)
        path.write_bytes(before)
    assert runs.read_run(folder.path) == run


def test_a_missing_record_of_a_finished_run_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / Recorder(tmp_path).run().key)
    folder.history.unlink()
    with pytest.raises(UserError, match=r"history\.csv is not the file that .*DONE tells of"):
        runs.read_run(folder.path)


def test_done_reads_as_sha256sum_writes_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / Recorder(tmp_path).run().key)
    lines = folder.done.read_text().splitlines()
    assert [line[64:] for line in lines] == [
        "  manifest.json",
        "  history.csv",
        "  checkpoints.csv",
    ]
    assert all(re.fullmatch("[0-9a-f]{64}", line[:64]) for line in lines)


def test_a_changed_figure_counts_as_stale(tmp_path: Path) -> None:
    content = AccuracyNorm("title", ())
    figure = figures.Figure("figures/a.svg", "caption", content)
    bare = f"<svg><desc>{figure.stamp}</desc><path d='M 1 2'/></svg>\n".encode()
    whole = figures.sealed(bare)
    assert figure.matches(whole)
    assert figure.matches(bare)  # of before the seal
    assert not figure.matches(bare[:-3])
    for changed in flips(whole[: len(bare)]):
        assert not figure.matches(changed + whole[len(bare) :])


def test_what_an_older_robench_wrote_is_believed(tmp_path: Path) -> None:
    run = Recorder(tmp_path).run()
    folder = RunFolder(tmp_path / run.key)
    content = json.loads(folder.manifest.read_text())
    assert len(content.pop("sha256")) == 64
    folder.manifest.write_text(json.dumps(content))
    folder.done.write_text("")
    assert runs.read_run(folder.path) == run
    np.savez_compressed(tmp_path / "old.npz", x=np.arange(3))
    assert arrays.load(tmp_path / "old.npz", {"x": "i"})["x"].tolist() == [0, 1, 2]
    weights.save(tmp_path / "old.safetensors", {"images": IMAGES}, {"source": "a"})
    old = weights.load_sealed(tmp_path / "old.safetensors", ("images",))
    assert torch.equal(old["images"], IMAGES)


def test_tensors_that_are_not_there_are_asked_for_in_vain(tmp_path: Path) -> None:
    path = tmp_path / "made.safetensors"
    weights.save_sealed(path, {"images": IMAGES}, {})
    with pytest.raises(UserError, match=r"made\.safetensors is damaged .*delete it"):
        weights.load_sealed(path, ("images", "seconds"))


def test_only_what_leaves_room_is_sealed() -> None:
    with pytest.raises(ValueError, match="not found"):
        sealing.sealed(b"no room")
