"""The command `robench` for a shell, as it would be installed, of the source under test."""

import os
import sys
from pathlib import Path


def with_robench(folder: Path) -> dict[str, str]:
    """Write the command into `folder`; return an environment whose path begins with it."""
    program = folder / "robench"
    folder.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m robench "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    return os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
