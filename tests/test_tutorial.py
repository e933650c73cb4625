"""docs/tutorial.md is carried out as it is printed, and ends with a ranked row."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text()


def test_the_tutorial_ends_with_a_ranked_row(tmp_path: Path) -> None:
    (commands, *_) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = commands.splitlines()
    assert len(lines) == 5
    program = tmp_path / "bin" / "robench"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m robench "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    work = tmp_path / "work"
    work.mkdir()
    said = []
    for line in lines:
        command = ["bash", "-c", line]
        ended = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        said.append(ended.stdout)
    assert said[0].splitlines()[2:] == [f"  {line}" for line in lines[1:]]
    assert "FAIL" not in said[1]
    (row,) = re.findall(
        r"^\| 1 \| .*my_defense:MyDefense@.*$",
        (work / "leaderboard" / "README.md").read_text(),
        re.MULTILINE,
    )
    assert "| 200 |" in row
