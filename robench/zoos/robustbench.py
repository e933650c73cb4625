"""RobustBench's model zoo (Croce et al., 2021), where the package `robustbench` is installed.

Of that package come the networks and the addresses of their weights. Its own loader unpickles what
it downloads, so it is not used: robench reads the files itself, tensors alone.
"""

import re
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robench.errors import UserError
from robench.zoo import Exhibit, Zoo

THREATS = ("L2", "Linf", "corruptions")
INSTALL = "install it from https://github.com/RobustBench/robustbench, or give --model-file"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
LAST = re.compile("Kireev2021Effectiveness|Andriushchenko2020Understanding$")
"""Their files hold the weights of two moments; RobustBench takes the last."""


@dataclass(frozen=True)
class RobustBench(Zoo):
    """RobustBench's networks for CIFAR-10 and CIFAR-100: [[DATASET/]THREAT/]NAME."""

    def fetch(self, name: str, dataset: str, cache: Path) -> Exhibit:
        """Return the network, its weights downloaded where they are missing.

        `name`: as RobustBench has it, before it the threat model (L2 where it is left out), and
        before that RobustBench's data set (`dataset` where it is left out).
        """
        *before, last = name.split("/")
        threat = before.pop() if before else THREATS[0]
        images = before.pop() if before else dataset
        if before:
            raise UserError(f"{name!r} is not of the form [[DATASET/]THREAT/]NAME")
        entry = _entry(last, threat, images)
        file = cache / images / threat / f"{last}.pt"
        if not file.exists():
            _download(str(entry["gdrive_id"]), file)
        with torch.random.fork_rng(devices=[]):
            network = entry["model"]()
        return Exhibit(network, file, "last" if LAST.match(last) else "")


def _entry(name: str, threat: str, images: str) -> Mapping[str, Any]:
    """Return what RobustBench's table says of a network that one file of weights is of."""
    try:
        from robustbench.model_zoo import model_dicts
        from robustbench.model_zoo.enums import BenchmarkDataset
    except Exception as error:  # the package, or one of the many that it needs, is missing
        raise UserError(
            f"RobustBench's zoo needs the package robustbench, which does not import here "
            f"({type(error).__name__}: {error}); {INSTALL}"
        ) from None
    known = {one.value: one for one in BenchmarkDataset if one.value.startswith("cifar")}
    if images not in known:
        raise UserError(
            f"RobustBench has no networks for {images!r} that robench knows of; where the images "
            f"are those of {' or '.join(known)}, say so: robustbench:cifar10/{threat}/{name}"
        )
    threats = {one.value: table for one, table in model_dicts[known[images]].items()}
    if threat not in threats:
        raise UserError(f"RobustBench has no threat model {threat!r}; it has {', '.join(threats)}")
    if name not in threats[threat]:
        other = [f"{one}/{name}" for one, table in threats.items() if name in table]
        there = ", ".join(other or threats[threat])
        raise UserError(f"RobustBench has no {threat} network {name!r} of {images}; it has {there}")
    entry: Mapping[str, Any] = threats[threat][name]
    if not isinstance(entry.get("gdrive_id"), str) or not NAME.fullmatch(name):
        raise UserError(
            f"RobustBench's {name} is not one network with one file of weights (an ensemble, or of "
            "another package); build it in a function of your own and name that as --model"
        )
    return entry


def _download(address: str, file: Path) -> None:
    from robustbench import utils

    fetch = getattr(utils, "download_gdrive_new", None) or utils.download_gdrive
    partial = file.with_name(f".{file.name}.partial")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with redirect_stdout(None):
            fetch(address, str(partial))
        partial.rename(file)
    except (Exception, SystemExit) as error:  # of whatever it is downloaded with
        partial.unlink(missing_ok=True)
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"the weights are not to be had from RobustBench ({type(error).__name__}: {reason}); "
            f"is this machine offline? Put the file with the Google Drive id {address} at {file}"
        ) from None
