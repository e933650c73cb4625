"""Keeping freed memory is asked for once, and said truly."""

import sys

import pytest
import torch

from robench.allocator import keep_freed_memory


def test_it_may_be_asked_for_again_and_changes_no_result() -> None:
    before = torch.arange(10.0).square().sum()
    first = keep_freed_memory()
    assert isinstance(first, bool)
    assert keep_freed_memory() is first
    assert torch.arange(10.0).square().sum() == before


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_it_says_no(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert keep_freed_memory.__wrapped__() is False
