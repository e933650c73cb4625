"""What several test files ask for by name."""

from pathlib import Path

import pytest

import readers
import tiny
from readers import Reader


@pytest.fixture(scope="session")
def tints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of tinted noise, 72 training and 36 test images; not to be changed."""
    return tiny.folder(tmp_path_factory.mktemp("tints"))


@pytest.fixture(scope="session")
def reader() -> Reader:
    """Return a network that reads digits, and images it reads correctly; not to be changed."""
    return readers.trained()
