"""What records say of where they were made."""

import sys

import pytest

from robench import environment


@pytest.mark.parametrize(
    ("typed", "recorded"),
    [
        (["robench", "train", "--runs", "/home/a b/runs", "--seed", "0"], "robench train --seed 0"),
        (["robench", "eval", "--final", "--runs=s3://bucket/own"], "robench eval --final"),
        (
            ["/x/robench/__main__.py", "train", "--set", "a='b'"],
            """robench train --set 'a='"'"'b'"'"''""",
        ),
        (["pytest", "--runs", "runs"], ""),
    ],
)
def test_the_command_is_as_one_would_type_it_without_the_runs_folder(
    typed: list[str], recorded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", typed)
    assert environment.command() == recorded
