"""What records say of where they were made."""

import sys
from functools import partial

import pytest
import torch

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


@pytest.mark.parametrize(
    ("units", "called", "precision"),
    [
        ({"_is_amx_tile_supported", "_is_avx512_bf16_supported"}, ", AMX bf16", "bf16"),
        ({"_is_avx512_bf16_supported"}, ", AVX-512 bf16", "bf16"),
        (set(), " cores", "float32"),
        (None, " cores", "float32"),
    ],
)
def test_auto_takes_bf16_where_the_processor_has_units_for_it(
    units: set[str] | None, called: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`units`: what torch says that the processor has; None: a torch that cannot be asked."""
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        if units is None:
            monkeypatch.delattr(torch.cpu, name, raising=False)
        else:
            monkeypatch.setattr(torch.cpu, name, partial(units.__contains__, name), raising=False)
    device = torch.device("cpu")
    assert environment.words(device).endswith(called)
    assert environment.choose_precision("auto", device) == precision
    assert environment.choose_precision("float32", device) == "float32"
    assert environment.choose_precision("bf16", device) == "bf16"
