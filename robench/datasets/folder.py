"""Any images laid out as `train/<class>/*` and `test/<class>/*`, decoded once and cached."""

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robench import files
from robench.dataset import Dataset, Images
from robench.errors import UserError

HINT = "--data-dir must hold train/<class>/* and test/<class>/*"
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Of the formats pillow knows; others run programs, as EPS does."""
PIXELS = 2**24
"""Most pixels of an image: a small file may claim any number."""


@dataclass(frozen=True)
class Folder(Dataset):
    """Images under `--data-dir`, all of one size; classes are the folders' names, sorted."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Decode every image as RGB in parallel, or read what an earlier call decoded."""
        if directory is None:
            raise UserError(f"--dataset folder needs --data-dir; {HINT}")
        train, classes = _listed(directory / "train")
        test, test_classes = _listed(directory / "test")
        if classes != test_classes:
            odd = ", ".join(sorted(set(classes) ^ set(test_classes)))
            raise UserError(f"{directory}: train and test differ in classes ({odd}); {HINT}")
        kept = cache / f"folder-{_fingerprint(directory, train + test)}.npz"
        x = _read_cache(kept, len(train) + len(test))
        if x is None:
            x = _decode(train + test)
            buffer = io.BytesIO()
            np.savez(buffer, x=x)
            files.write(kept, buffer.getvalue())
        y = np.array([classes.index(p.parent.name) for p in train + test], dtype=np.int64)
        n = len(train)
        return Images(x[:n], y[:n], x[n:], y[n:], classes)

    def found(self, directory: Path | None, cache: Path) -> bool:
        """Tell whether `directory` holds both splits."""
        return directory is not None and all((directory / s).is_dir() for s in ("train", "test"))


def _listed(split: Path) -> tuple[list[Path], tuple[str, ...]]:
    if not split.is_dir():
        raise UserError(f"there is no folder {split}; {HINT}")
    folders = sorted(p for p in split.iterdir() if p.is_dir() and not p.name.startswith("."))
    if odd := [p for p in folders if not p.name.isprintable()]:
        raise UserError(f"{split} has a class named {odd[0].name!r}; rename the folder")
    if len(folders) < 2:
        raise UserError(
            f"{split} holds {len(folders)} class ({', '.join(p.name for p in folders) or 'none'}); "
            f"two or more are needed; {HINT}"
        )
    found = []
    for folder in folders:
        inside = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        if not inside:
            raise UserError(f"{folder} holds no image; {HINT}")
        found += inside
    return found, tuple(p.name for p in folders)


def _fingerprint(directory: Path, paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        state = path.stat()
        name = os.fsencode(path.relative_to(directory))
        total.update(name + f" {state.st_size} {state.st_mtime_ns}\n".encode())
    return total.hexdigest()[:16]


def _read_cache(path: Path, count: int) -> NDArray[np.uint8] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            x = archive["x"]
            fits = x.dtype == np.uint8 and x.ndim == 4 and len(x) == count
    except Exception:  # absent or damaged, for which numpy has a dozen errors: decode again
        return None
    return x if fits else None


def _decode(paths: list[Path]) -> NDArray[np.uint8]:
    first = _pixels(paths[0])
    _, height, width = first.shape
    try:
        x = np.empty((len(paths), *first.shape), dtype=np.uint8)
    except MemoryError:
        raise UserError(
            f"{len(paths)} images of {width} x {height} pixels are more than memory holds"
        ) from None

    def place(number: int) -> None:
        x[number] = _pixels(paths[number], paths[0], (width, height))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(place, range(len(paths)), chunksize=64):
            pass
    return x


def _pixels(
    path: Path, like: Path | None = None, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Decode one image; where `size` is given, (width, height), it must have that of `like`."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            if size not in (None, image.size):
                raise UserError(
                    f"{path} is {image.width} x {image.height} pixels, {like} is "
                    f"{size[0]} x {size[1]}; all images must be of one size"
                )
            if image.width * image.height > PIXELS:
                raise UserError(f"{path} claims {image.width} x {image.height} pixels; too many")
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    except UserError:
        raise
    except Exception as error:  # of pillow's decoders, each with errors of its own
        raise UserError(f"{path} cannot be read as an image ({error})") from None
