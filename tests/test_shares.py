"""Who computes what of a batch, how a process learns which it is, and that one needs no other."""

from pathlib import Path

import pytest
import torch

import sharing
import tiny
from robench.errors import UserError
from robench.processes import ALONE, Processes, joined, started

SECOND = {
    "RANK": "1",
    "WORLD_SIZE": "2",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}
"""What torchrun tells the second of two processes."""


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("whole", [1, 2, 6, 7, 128])
def test_every_image_is_in_one_share(count: int, whole: int) -> None:
    shares = [Processes(rank, count).share(whole) for rank in range(count)]
    counted = [n for share in shares if share.images for n in range(whole)[share.part]]
    assert counted == list(range(whole))
    assert max(share.images for share in shares) - min(share.images for share in shares) <= 1
    assert sum(share.weight for share in shares) == pytest.approx(1)
    for share in shares:
        assert len(range(whole)[share.part]) == max(share.images, 1)
        assert share.whole == whole


def test_alone_nothing_is_exchanged() -> None:
    tensors = [torch.ones(2)]
    with joined("cpu") as processes:
        assert processes is ALONE
        assert processes.first
        assert processes.summed(tensors, 0.5) is tensors
        processes.copy_first(tensors)
        processes.agree(1, "never")
        processes.wait()
    assert not torch.distributed.is_initialized()
    assert processes.share(36).part == slice(0, 36)
    assert processes.share(36).weight == 1


def test_which_process_this_is() -> None:
    assert started(SECOND) == Processes(1, 2)
    assert started({}) is ALONE
    assert started({"WORLD_SIZE": "1"}) is ALONE
    for name in SECOND.keys() - {"WORLD_SIZE"}:
        with pytest.raises(UserError, match=rf"not said which.*{name}=[,)]"):
            started({**SECOND, name: ""})
    for wrong in ("2", "-1", "one"):
        with pytest.raises(UserError, match=f"RANK={wrong}.*torchrun"):
            started({**SECOND, "RANK": wrong})


def test_what_cannot_share_is_not_trained_twice(
    monkeypatch: pytest.MonkeyPatch, tints: Path, tmp_path: Path
) -> None:
    planned = tiny.planned("baseline", tints, tmp_path)
    for name, value in SECOND.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"torchrun started 2 processes.*`robench train`"):
        tiny.epochs(planned)
    assert not list(tmp_path.glob("folder-*"))


def test_a_share_of_no_images_counts_no_perturbation() -> None:
    defense = sharing.Seen()
    x = torch.ones(1, 4)
    with defense.sharing(Processes(0, 2).share(1)):
        assert defense.batch_size(x) == 1
        defense.observe(x)
    assert defense.mean_perturbation() == 0
    with defense.sharing(Processes(1, 2).share(9)):
        assert defense.batch_size(x) == 9
        defense.observe(x)
    assert defense.batch_size(x) == 1
    assert defense.mean_perturbation() == 2
