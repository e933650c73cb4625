"""Files of weights from elsewhere: tensors are read and nothing else, wrapped as they may be."""

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from robench.errors import UserError
from robench.imported.reading import fill, read_state


class Small(nn.Module):
    """Two layers, one of which has statistics, and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(3, 2), nn.BatchNorm1d(2)
        self.register_buffer("mu", torch.full((2,), 0.5))


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """Return weights of `Small` other than its fresh ones."""
    torch.manual_seed(1)
    return Small().state_dict()


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return weights as a wrapper names them."""
    return {prefix + name: one for name, one in state.items()}


def filled(path: Path, entry: str = "") -> tuple[Small, tuple[str, ...]]:
    """Return a fresh network with the weights in a file, and what was noted."""
    network = Small()
    return network, fill(network, read_state(path, entry), path)


def same(network: Small, state: dict[str, torch.Tensor]) -> bool:
    """Tell whether a network has just these weights."""
    own = network.state_dict()
    return own.keys() == state.keys() and all(torch.equal(own[k], state[k]) for k in own)


def test_safetensors_are_read_as_they_are(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    safetensors.torch.save_file(state, tmp_path / "a.safetensors")
    network, notes = filled(tmp_path / "a.safetensors")
    assert same(network, state)
    assert notes == ()


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("key", ["state_dict", "model", "net", "model_state_dict"])
def test_what_training_scripts_save_is_unwrapped_and_said(
    tmp_path: Path, state: dict[str, torch.Tensor], key: str, old: bool
) -> None:
    optimiser = torch.optim.Adam(Small().parameters()).state_dict()
    content = {key: prefixed(state, "module."), "optimizer": optimiser, "epoch": 3}
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=not old)
    network, notes = filled(tmp_path / "a.pt")
    assert same(network, state)
    assert notes == (
        f"the weights are those under {key!r}",
        "'module.' was taken off the names of the weights",
    )


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_prefixes_of_wrappers_are_taken_off(
    tmp_path: Path, state: dict[str, torch.Tensor], prefix: str
) -> None:
    torch.save(prefixed(state, prefix), tmp_path / "a.pth")
    network, notes = filled(tmp_path / "a.pth")
    assert same(network, state)
    assert len(notes) == prefix.count(".")


def test_of_several_networks_one_is_said(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    other = Small().state_dict()
    torch.save({"model": other, "ema": {"state_dict": state}}, tmp_path / "a.pt")
    with pytest.raises(UserError, match="several networks: model, ema; say --entry"):
        filled(tmp_path / "a.pt")
    network, notes = filled(tmp_path / "a.pt", "ema")
    assert same(network, state)
    assert notes == (
        "the weights are those under 'ema'",
        "the weights are those under 'state_dict'",
    )
    with pytest.raises(UserError, match="no entry 'best', and holds several networks"):
        filled(tmp_path / "a.pt", "best")
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"no entry 'best'; it has: mu \(Tensor\)"):
        filled(tmp_path / "a.pt", "best")


def test_a_pickle_that_runs_code_is_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": Runs(tmp_path / "made")}, tmp_path / "a.pt")
    with pytest.raises(UserError, match="holds more than weights, and nothing else is loaded"):
        read_state(tmp_path / "a.pt")
    assert not (tmp_path / "made").exists()


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_whole_network_is_not_unpickled(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "a.pt")
    said = r"holds more than weights \(torch\.nn\.modules\.linear\.Linear\), and nothing else is "
    for old in (False, True):
        torch.save(nn.Linear(2, 2), tmp_path / "a.pt", _use_new_zipfile_serialization=not old)
        with pytest.raises(
            UserError, match=rf"{said}.*s\.save_file\(network\.state_dict"
        ) as caught:
            read_state(tmp_path / "a.pt")
        assert "\x1b" not in str(caught.value)
        assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("form", ["safetensors", "zip", "older"])
def test_a_cut_file_is_called_so(tmp_path: Path, state: dict[str, torch.Tensor], form: str) -> None:
    path = tmp_path / "a.pt"
    if form == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    content = path.read_bytes()
    for size in range(20, len(content), 7):
        path.write_bytes(content[:size])
        with pytest.raises(UserError) as caught:
            read_state(path)
        assert str(caught.value).startswith(f"{path} is damaged or cut short; fetch it again"), size


def test_a_zip_of_something_else_and_a_program_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/b.txt", "text")
    with pytest.raises(UserError, match=r"a zip that torch\.save did not write"):
        read_state(tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        for name in ("data.pkl", "constants.pkl", "version"):
            archive.writestr(f"a/{name}", "3")
    with pytest.raises(UserError, match=r"holds more than weights \(a program of torch\.jit\)"):
        read_state(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "a.pt is empty"),
        (b"junk", "is neither a safetensors file nor one of torch.save"),
        (b"PK\x03\x04", "is damaged or cut short"),
        (b"\x80\x02.", "is neither a safetensors file nor one of torch.save"),
    ],
)
def test_what_is_no_weights_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_state(tmp_path / "a.pt")


def test_a_missing_file_and_one_without_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file of weights"):
        read_state(tmp_path / "a.pt")
    torch.save({"epoch": 3}, tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"holds no weights; it holds: epoch \(int\)"):
        read_state(tmp_path / "a.pt")
    torch.save([torch.zeros(2)], tmp_path / "a.pt")
    with pytest.raises(UserError, match="holds a list"):
        read_state(tmp_path / "a.pt")


def test_other_weights_change_nothing(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    network = Small()
    before = {name: one.clone() for name, one in network.state_dict().items()}
    lacking = {name: one for name, one in state.items() if name != "mu"}
    for own, said in (
        (lacking, "it lacks mu, and has besides nothing"),
        (state | {"more": torch.zeros(1)}, "it lacks nothing, and has besides more"),
        (state | {"first.bias": torch.zeros(5)}, r"first.bias is \(5,\) there, \(2,\) in the"),
    ):
        torch.save(own, tmp_path / "a.pt")
        with pytest.raises(UserError, match=said):
            fill(network, read_state(tmp_path / "a.pt"), tmp_path / "a.pt")
        assert same(network, before)


def test_a_zoo_s_constants_stay_as_built(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    own = {name: one for name, one in state.items() if name != "mu"} | {"extra": torch.zeros(1)}
    torch.save(own, tmp_path / "a.pt")
    network = Small()
    notes = fill(network, read_state(tmp_path / "a.pt"), tmp_path / "a.pt", lenient=True)
    assert same(network, state | {"mu": torch.full((2,), 0.5)})
    assert [note.rpartition(": ")[2] for note in notes] == ["mu", "extra"]
    for learned in ("first.weight", "norm.running_var"):
        torch.save({k: v for k, v in own.items() if k != learned}, tmp_path / "a.pt")
        with pytest.raises(UserError, match=f"it lacks {learned}"):
            fill(network, read_state(tmp_path / "a.pt"), tmp_path / "a.pt", lenient=True)


def test_half_precision_becomes_the_network_s_own(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    half = {name: one.half() if one.is_floating_point() else one for name, one in state.items()}
    torch.save(half, tmp_path / "a.pt")
    network, notes = filled(tmp_path / "a.pt")
    assert same(network, {name: one.to(state[name].dtype) for name, one in half.items()})
    assert notes == ("weights of torch.float16 became those of the network's own type",)
