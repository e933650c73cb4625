"""Questions to a data set: arrays of the right types, the same every time, enough of each class."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from robench import data as loading
from robench.audit.check import Reading
from robench.checking.check import Untried, check, failed, passed
from robench.checking.declaring import settings
from robench.data import Data
from robench.dataset import Dataset
from robench.plugins import Plugin
from robench.records import Setting
from robench.settings import configure

FETCH = "its images are not here (`found` says so): name them by --data-dir"


@dataclass(frozen=True)
class DatasetCase:
    """A data set, and where its images are looked for."""

    plugin: Plugin[Dataset]
    given: Mapping[str, Setting]
    root: Path
    directory: Path | None

    @property
    def cls(self) -> type[Dataset]:
        """Return the plugin's class."""
        return self.plugin.cls

    @cached_property
    def dataset(self) -> Dataset:
        """Return the data set under its settings."""
        return configure(self.cls, self.given, self.plugin.name)

    @cached_property
    def here(self) -> bool | None:
        """Return what `found` says before anything was loaded."""
        return self.dataset.found(self.directory, self.root)

    @cached_property
    def data(self) -> Data:
        """Load it as the harness does; raises Untried where it would have to be fetched."""
        return self.load()

    def load(self) -> Data:
        """Load it anew."""
        if self.here is False:
            raise Untried(FETCH)
        place = (self.directory, self.root, torch.device("cpu"))
        return loading.load(self.dataset, self.plugin.name, *place)

    @property
    def loaded(self) -> Data:
        """Return what was loaded; raises Untried where that failed, which `types` tells."""
        try:
            return self.data
        except Untried:
            raise
        except Exception as error:
            raise Untried("it does not load; see `types`") from error


@check(
    wants="True, False or None, and after a load not False",
    remedy="look for what `load` reads, in the same places; None where that would cost much",
)
def found(case: DatasetCase) -> Reading:
    """Does `found` say whether `load` would find the images?"""
    here = case.here
    if here not in (True, False, None):
        return failed(f"it returned {here!r}")
    if here is not False:
        data = case.loaded
        after = case.dataset.found(case.directory, case.root)
        if after is False:
            return failed(f"False, after {len(data.train)} images were loaded")
    return passed(str(here))


@check(
    wants="uint8 images (n, channels, height, width), int64 labels from 0 to below the classes, "
    "two classes or more, `pad` below the image size",
    remedy="see the message; decode to uint8 and put the channels first",
)
def types(case: DatasetCase) -> Reading:
    """Are the arrays what robench takes?"""
    data = case.data
    return passed(f"{data.shape}, {len(data.classes)} classes, {len(data.test)} test images")


@check(
    wants="the same images and labels at each load",
    remedy="sort what a folder lists, and draw nothing, or from a generator with a fixed seed",
)
def stable(case: DatasetCase) -> Reading:
    """Are two loads the same?"""
    first, second = case.loaded.hash, case.load().hash
    if first != second:
        return failed(f"hashes {first} and {second}")
    return passed(first)


@check(
    wants="a name of its own for each class",
    remedy="name each label in `classes`, once",
)
def names(case: DatasetCase) -> Reading:
    """Has each class a name?"""
    classes = case.loaded.classes
    twice = sorted({str(one) for one in classes if classes.count(one) > 1})
    if twice:
        return failed(f"more than once: {', '.join(twice)}")
    odd = [repr(one) for one in classes if not isinstance(one, str) or not one]
    return failed(f"no names: {', '.join(odd)}") if odd else passed(f"{len(classes)} classes")


@check(
    wants="images of each class in the training, validation and test images",
    remedy="give ten training images a class or more (a tenth is held out), and test images of "
    "each",
)
def balance(case: DatasetCase) -> Reading:
    """Can a tenth of the training images be held out, with every class among them?"""
    data = case.loaded
    for name in ("train", "validation", "test"):
        there = np.bincount(getattr(data, name).y.numpy(), minlength=len(data.classes))
        if not there.all():
            missing = [
                str(one) for one, count in zip(data.classes, there, strict=True) if not count
            ]
            return failed(f"none of {', '.join(missing[:5])} among the {name} images")
    return passed(f"{len(data.train)} to train, {data.held_out} held out, {len(data.test)} to test")


@check(
    wants="no test image among the training images",
    remedy="split before you copy; an image in both is no test",
)
def apart(case: DatasetCase) -> Reading:
    """Are training and test images others?"""
    data = case.loaded
    splits = (data.train, data.validation) if data.held_out else (data.train,)
    known = {one.tobytes() for split in splits for one in split.x.numpy()}
    test = [one.tobytes() for one in data.test.x.numpy()]
    both = sum(one in known for one in test)
    # Published sets hold a few duplicates of their own.
    ended = f"{both} of {len(test)} test images are training images"
    return failed(ended) if both > 0.05 * len(test) else passed(ended)


CHECKS = (settings, types, found, stable, names, balance, apart)
