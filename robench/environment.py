"""Where a number was made: versions, commit, device, command line."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import torch

from robench.errors import UserError

PACKAGES = ("robench", "torch", "torchvision", "adversarial-robustness-toolbox", "numpy")


def describe(device: torch.device) -> dict[str, str]:
    """Return versions, git commit, device in words, threads and command line."""
    return {
        "python": platform.python_version(),
        **{name: installed(name) for name in PACKAGES},
        "commit": commit(),
        "device": words(device),
        "threads": str(torch.get_num_threads()) if device.type == "cpu" else "",
        "command": command(),
    }


def installed(package: str) -> str:
    """Return the installed version of `package`, or an empty string."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def commit() -> str:
    """Return the git commit of robench's source, with + if changed; empty if installed."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    try:
        run = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout.strip()


def command() -> str:
    """Return the command line as one would type it; empty when used from Python.

    Without the runs folder, which changes nothing but where things lie, and may name a person.
    """
    name = Path(sys.argv[0])
    program = name.parent.name if name.name == "__main__.py" else name.name
    return shlex.join(["robench", *_anywhere(sys.argv[1:])]) if program == "robench" else ""


def _anywhere(words: Sequence[str]) -> list[str]:
    places = {place for place, word in enumerate(words) if word == "--runs"}
    values = {place + 1 for place in places}
    return [
        word
        for place, word in enumerate(words)
        if place not in places | values and not word.startswith("--runs=")
    ]


def words(device: torch.device) -> str:
    """Describe a device in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        units = _bf16_units()
        return f"{_processor()}, {os.cpu_count()} cores{f', {units} bf16' if units else ''}"
    return device.type


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` is a GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # a meta tensor has no item
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"--device {name} is not to be had here ({reason}); --device cpu always is"
        ) from None
    return device


def choose_precision(name: str, device: torch.device) -> Literal["bf16", "float32"]:
    """Return the precision of training; `auto` is bf16 where the device has units for it."""
    if name == "bf16" or (name == "auto" and _gains_from_bf16(device)):
        return "bf16"
    return "float32"


def _gains_from_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and _bf16_units() is not None


def _bf16_units() -> str | None:
    """Return which units this processor has for bf16; None where it would be slower in it."""
    # Private, and the only way to ask. A training step of ConvPool-CNN takes a third to a quarter
    # of float32's time with AMX, and less than a half with AVX-512's instructions alone.
    for name, asked in (
        ("AMX", "_is_amx_tile_supported"),
        ("AVX-512", "_is_avx512_bf16_supported"),
    ):
        supported = getattr(torch.cpu, asked, None)
        if supported and supported():
            return name
    return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
