"""A network trained on digits in a few seconds, attacked, and what an audit sees of it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import nn

from robench import archive, panel
from robench.arsenal import chosen_attacks
from robench.audit.auditing import CHECKS, case_of
from robench.audit.case import Case
from robench.campaign import opened
from robench.data import Data
from robench.evaluation import Subject, evaluate
from robench.panel import Panel
from robench.planning import Request, data_of, plan
from robench.records import Finding, Setting
from robench.runs import read_run

IMAGES = 60
ATTACKS: Mapping[str, Setting] = {
    "fgm.eps": 0.5,
    "apgd.steps": 20,
    "walk.steps": 5,
    "walk.ddn_steps": 10,
}


def trained(root: Path, defense: str = "baseline", epochs: int = 8, **request: object) -> Subject:
    """Return a network that classifies most digits, from a run under `root`."""
    asked = {"settings": {"model.width": 0.1}, "batch_size": 32, "ema": 0.9, **request}
    planned = plan(
        Request(
            defense,
            dataset="digits",
            epochs=epochs,
            learning_rate=5e-3,
            runs=root,
            device="cpu",
            precision="float32",
            **asked,  # type: ignore[arg-type]
        )
    )
    for _ in planned.train():
        pass
    run = read_run(root / planned.spec.key)
    return opened(root / run.key, run, run.final.step, planned.data)


def digits(subject: Subject, root: Path) -> Data:
    """Return the data set of a run."""
    return data_of(subject.trained.spec, None, root, "cpu")


def shown(data: Data, images: int = IMAGES) -> Panel:
    """Return the images that are attacked."""
    return panel.choose(data, images, 0)


def attacked(
    root: Path,
    subject: Subject,
    network: nn.Module,
    data: Data,
    settings: Mapping[str, Setting] = ATTACKS,
    images: int = IMAGES,
) -> Case:
    """Return what the audit sees of `network`, in place of the subject's, under these attacks."""
    changed = replace(subject, network=network.eval())
    names = list(dict.fromkeys(key.partition(".")[0] for key in settings))
    for named in chosen_attacks("paper", names, settings):
        evaluate(root, changed, named, shown(data, images), data=data)
    return case_of(changed, data, archive.read(root))


def finding(case: Case, name: str) -> Finding:
    """Return what one check finds."""
    return next(check for check in CHECKS if check.name == name).finding(case)
