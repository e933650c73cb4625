"""A run that two processes train together is the run that one trains alone."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

import sharing
import tiny
from robench import weights
from robench.runs import RunFolder, read_runs
from robench.training import train
from test_resume import outcome

EXACT = {"precision": "float32", "epochs": 2}
SCRAPS = {**EXACT, "batch_size": 32}
"""65 images to train on: the last batch is of one."""
CASES: Sequence[sharing.Case] = (
    ("baseline", EXACT),
    ("fgm", EXACT),
    ("pgn", EXACT),
    ("pgn", {**EXACT, "settings": {"preset": "paper"}}),
    ("fgm", SCRAPS),
    ("pgn", SCRAPS),
    ("fgm", {**EXACT, "dataset": "digits", "batch_size": 400}),  # of one channel
)
EVEN = {**EXACT, "validation": 8, "batch_size": 32, "ema": 0.0}
"""64 images to train on, in halves; the average is the weights."""
CLOSE = 1e-5
"""Of weights and losses: sums in another order. A step moves weights by up to 5e-3."""


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    """Return a context whose processes start with the heavy imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sharing", "torch._dynamo"])
    return context


@pytest.fixture(scope="module")
def together(
    server: ForkServerContext, tints: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return runs that two processes trained."""
    runs = tmp_path_factory.mktemp("together")
    sharing.run(server, sharing.trained, tints, runs, CASES)
    return runs


def close(found: Path, expected: Path) -> None:
    """Compare the averages of all networks."""
    a, b = weights.load(found), weights.load(expected)
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        torch.testing.assert_close(tensor, b[name], rtol=0, atol=CLOSE)


@pytest.mark.parametrize("case", CASES)
def test_two_train_what_one_trains(
    case: sharing.Case, together: Path, tints: Path, tmp_path: Path
) -> None:
    expected = tiny.trained(case[0], tints, tmp_path, **case[1])
    (found,) = (run for run in read_runs(together) if run.key == expected.key)
    close(together / found.key / found.final.file, tmp_path / expected.key / expected.final.file)
    for ours, theirs in zip(found.history, expected.history, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, abs=CLOSE)
        assert ours.perturbation == pytest.approx(theirs.perturbation, abs=CLOSE)
        assert ours.accuracy == theirs.accuracy
        assert ours.seconds > 0
    places = [[(kept.step, kept.accuracy) for kept in run.checkpoints] for run in (found, expected)]
    assert places[0] == places[1]
    assert found.environment["processes"] == "2"
    assert "processes" not in expected.environment


def test_the_baseline_is_what_torch_s_own_wrapper_trains(
    server: ForkServerContext, tints: Path, tmp_path: Path
) -> None:
    sharing.run(server, sharing.by_torch, tints, tmp_path, EVEN)
    sharing.run(server, sharing.trained, tints, tmp_path, [("baseline", EVEN)])
    expected = load_file(tmp_path / "by-torch.safetensors")
    found = weights.load(sharing.folder_of(tmp_path).final)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[f"classifier.{name}"], tensor, rtol=0, atol=1e-6)


def images(path: Path) -> tuple[list[Tensor], list[int]]:
    """Return what a process noted: the images of each step, its seed at each."""
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        seeds = json.loads(file.metadata()["seeds"])
    return [tensors[str(step)] for step in range(len(tensors))], seeds


def test_shares_make_up_the_batches_and_draws_differ(
    server: ForkServerContext, tints: Path, tmp_path: Path
) -> None:
    planned = tiny.planned("baseline", tints, tmp_path / "alone", **SCRAPS)
    defense = sharing.Seen()
    list(train(planned.spec, defense, planned.build, planned.data, planned.root))
    sharing.run(server, sharing.seen, tints, tmp_path, SCRAPS)
    (first, seeds), (second, others) = (images(tmp_path / f"{n}.safetensors") for n in (0, 1))
    assert [len(batch) for batch in defense.images] == [32, 32, 1] * 2
    for step, (batch, a, b) in enumerate(zip(defense.images, first, second, strict=True)):
        whole = b if step % 3 == 2 else torch.cat([a, b])  # the image is the second one's
        assert torch.equal(whole, batch)
    assert len({*seeds, *others}) == 4  # two processes, two epochs


def test_stopped_and_gone_on_with(server: ForkServerContext, tints: Path, tmp_path: Path) -> None:
    case = ("pgn", EXACT)
    for runs in ("both", "alone"):
        sharing.run(server, sharing.trained, tints, tmp_path / runs, [case], 1)
        folder = sharing.folder_of(tmp_path / runs)
        assert folder.state.exists()
        assert not folder.done.exists()
    sharing.run(server, sharing.trained, tints, tmp_path / "both", [case])
    sharing.run(server, sharing.trained, tints, tmp_path / "whole", [case])
    both, whole = (sharing.folder_of(tmp_path / runs) for runs in ("both", "whole"))
    assert outcome(both.path) == outcome(whole.path)
    (row,) = tiny.epochs(tiny.planned("pgn", tints, tmp_path / "alone", **EXACT))
    assert row.epoch == 2
    close(sharing.folder_of(tmp_path / "alone").final, whole.final)


def test_what_is_exchanged(server: ForkServerContext) -> None:
    sharing.run(server, sharing.exchanged)


def test_weights_and_buffers_are_the_first_one_s(server: ForkServerContext) -> None:
    sharing.run(server, sharing.followed)


def test_processes_that_do_not_mean_the_same_run_are_refused(
    server: ForkServerContext, tints: Path, tmp_path: Path
) -> None:
    sharing.run(server, sharing.differ, tints, tmp_path)
    assert not list(tmp_path.glob("folder-*"))


@pytest.fixture
def stopping() -> Iterator[list[BaseProcess]]:
    """Return a list; whatever is put there ends with the test."""
    left: list[BaseProcess] = []
    yield left
    for one in left:
        one.kill()
        one.join()


def told(path: Path) -> tiny.Ended:
    """Return how a process ended."""
    return tiny.Ended(**json.loads(path.read_text()))


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ({"lr": 1e38, "precision": "float32"}, 1, "diverged in epoch 1"),
        ({"defense": "pgm"}, 2, "no defense called 'pgm'"),
        ({"batch_size": 1}, 2, "2 processes cannot share batches of 1 images"),
        ({"device": "cuda:1"}, 2, "--device cuda:1 for 2 processes: say cuda"),
        ({"runs": "/dev/null"}, 2, "free or choose another --runs"),
    ],
)
def test_what_all_fail_at_is_said_by_the_first_alone(
    more: dict[str, object],
    code: int,
    said: str,
    server: ForkServerContext,
    tints: Path,
    tmp_path: Path,
    stopping: list[BaseProcess],
) -> None:
    given = {"defense": "baseline", **more}
    words = tiny.options(tints, Path(str(given.pop("runs", tmp_path))), **given)
    stopping += sharing.start(server, sharing.ended, ["train", *words], tmp_path)
    stopping[0].join(60)
    found = told(tmp_path / "0.json")
    assert (found.code, found.err.count("\n")) == (code, 1)
    assert said in found.err
    assert stopping[1].is_alive()  # until torchrun ends it
    assert not (tmp_path / "1.json").exists()


def test_whoever_fails_alone_says_why_and_the_first_keeps_quiet_until_then(
    server: ForkServerContext, tints: Path, tmp_path: Path
) -> None:
    words = tiny.options(tints, tmp_path, defense=f"{Path(__file__).parent / 'sharing.py'}:Shy")
    first, second = sharing.start(server, sharing.ended, ["train", *words], tmp_path, [3, 0])
    second.join(60)
    found = told(tmp_path / "1.json")
    assert (found.code, found.err) == (1, "Error: the second one fails\n")
    assert first.is_alive()
    assert not (tmp_path / "0.json").exists()
    first.join(60)  # as nobody ends it
    found = told(tmp_path / "0.json")
    assert found.code == 1
    assert "another process of this run has ended, and says why" in found.err


def under_torchrun(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a command in two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "robench", *map(str, words)]
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, **threads}
    )


def test_torchrun_trains_one_run(tints: Path, tmp_path: Path) -> None:
    words = tiny.options(tints, tmp_path, defense="fgm", epochs=2)
    ended = under_torchrun("train", *words)
    assert ended.returncode == 0, ended.stderr
    (run,) = read_runs(tmp_path)
    lines = ended.stdout.splitlines()
    assert lines[0] == str(tmp_path / run.key)
    assert [line.split("  ")[0] for line in lines[1:]] == ["epoch 1/2", "epoch 2/2"]
    assert ended.stderr == ""
    assert run.environment["processes"] == "2"
    assert run.environment["command"].startswith("robench train --dataset folder")
    assert tiny.robench("train", *words).out == f"{lines[0]} is finished already\n"


def test_torchrun_ends_all_where_training_diverges(tints: Path, tmp_path: Path) -> None:
    words = tiny.options(tints, tmp_path, defense="baseline", lr=1e38, precision="float32")
    ended = under_torchrun("train", *words)
    assert ended.returncode == 1
    said = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1
    assert "training diverged in epoch 1" in said[0]
    assert ended.stderr.count("exitcode  : 1 ") == 1  # the first's
    folder = RunFolder(tmp_path / ended.stdout.strip().rpartition("/")[2])
    assert not folder.state.exists()
    assert not folder.done.exists()
