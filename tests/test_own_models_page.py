"""docs/own-models.md is carried out as it is printed, on a network trained without robench."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch.nn import functional as F

from programs import with_robench
from robench import data as images
from robench.datasets.digits import Digits

PAGE = (Path(__file__).parents[1] / "docs" / "own-models.md").read_text()
TRAINING = 300


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a folder with the page's `net.py`, and weights that it trained to."""
    work = tmp_path / "work"
    work.mkdir()
    source, _ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (work / "net.py").write_text(source)
    made: dict[str, object] = {}
    exec(source, made)
    build = made["build"]
    assert callable(build)
    found = images.load(Digits(), "digits", None, tmp_path, torch.device("cpu"), 0)
    torch.manual_seed(0)
    network = build()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    x = found.train.floats(slice(None)).contiguous()
    for _ in range(TRAINING):
        optimiser.zero_grad()
        F.cross_entropy(network(x), found.train.y).backward()
        optimiser.step()
    state = network.state_dict()
    torch.save(state, work / "weights.pt")
    safetensors.torch.save_file(state, work / "weights.safetensors")
    return work


def test_the_page_s_commands_and_its_python_do_what_it_says(work: Path, tmp_path: Path) -> None:
    environment = with_robench(tmp_path / "bin")
    (commands, *_) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    _, python = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    said = []
    for words in (
        *(["bash", "-c", line] for line in commands.splitlines()),
        [sys.executable, "-c", python],
        ["bash", "-c", "robench report && robench verify mine"],
    ):
        ended = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        said.append(ended.stdout)
    assert "audit: " in said[0]
    assert "FAIL" not in said[0]
    assert "robench did not train it" in said[2]
    assert "mine" in said[3]
    assert "match" in said[4]
    page = (work / "leaderboard" / "README.md").read_text()
    assert re.findall(r"^\| (mine|weights) \|", page, re.MULTILINE)[:2] == ["mine", "weights"]
