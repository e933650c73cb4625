"""docs/tutorial.md is carried out as it is printed, and ends with a ranked row."""

import re
import subprocess
from pathlib import Path

from programs import with_robench

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text()


def test_the_tutorial_ends_with_a_ranked_row(tmp_path: Path) -> None:
    (commands, *_) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = commands.splitlines()
    assert len(lines) == 5
    environment = with_robench(tmp_path / "bin")
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
