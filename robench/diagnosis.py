"""What may be wrong with an installation, and the command that mends it."""

import importlib.util
import platform
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from robench.errors import UserError
from robench.plugins import DATASETS, REGISTRIES, owner

ENOUGH = 2 * 2**30
"""Bytes: the paper's network keeps up to 200 checkpoints of 9 MB along a run."""
BOUNDS = re.compile(r"(>=|<)\s*(\d+(?:\.\d+)*)")


@dataclass(frozen=True)
class Finding:
    """One fact about the installation; `mend` is a command where it is a problem."""

    subject: str
    text: str
    mend: str = ""


def installer() -> str:
    """Return the command that installs packages into this Python: pip's, or uv's where none is."""
    program = "pip" if importlib.util.find_spec("pip") else "uv pip"
    return f"{shlex.quote(sys.executable)} -m {program}"


def packages() -> Iterator[Finding]:
    """Tell the versions of Python, robench and what robench asks for."""
    yield Finding("python", platform.python_version())
    yield Finding("robench", version("robench"))
    for requirement in requires("robench") or []:
        if "extra ==" in requirement:
            continue  # nothing that robench itself needs
        name = re.split(r"[^\w.-]", requirement)[0]
        mend = f'{installer()} install "{requirement}"'
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding(name, f"is not installed, robench needs {requirement}", mend)
            continue
        fits = within(found, requirement)
        text = found if fits else f"{found} does not fit, robench needs {requirement}"
        yield Finding(name, text, "" if fits else mend)


def within(found: str, requirement: str) -> bool:
    """Tell whether version `found` lies in the `>=` and `<` bounds of `requirement`."""
    own = _release(found)
    return all(
        (own >= _release(bound)) == (sign == ">=") for sign, bound in BOUNDS.findall(requirement)
    )


def imports(names: Sequence[str]) -> Iterator[Finding]:
    """Tell which packages are installed and yet do not import; nothing where all do."""
    for name in names:
        try:
            import_module(name)
        except Exception as error:  # a broken package raises whatever it likes
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            both = "torch torchvision" if name.startswith("torch") else name
            why = "; it was built for another torch" if name == "torchvision" else ""
            mend = f"{installer()} install --force-reinstall {both}"
            yield Finding(name, f"does not import ({reason}){why}", mend)


def device() -> Iterator[Finding]:
    """Tell what computes here, in which precision, and whether a GPU lies idle."""
    import torch

    from robench.environment import choose_device, choose_precision, words

    chosen = choose_device("auto")
    yield Finding("device", f"{words(chosen)}, {torch.get_num_threads()} threads")
    yield Finding("training", f"in {choose_precision('auto', chosen)}")
    built = f"torch built for {torch.version.cuda or 'none'}"
    if torch.cuda.is_available():
        yield Finding("cuda", f"{torch.cuda.device_count()} GPU; {built}")
    elif Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi"):
        mend = f"{installer()} install --force-reinstall torch torchvision"
        yield Finding("cuda", f"an NVIDIA driver is here, torch does not see it; {built}", mend)
    else:
        yield Finding("cuda", f"no GPU; {built}")


def plugins() -> Iterator[Finding]:
    """Load every plugin; name those that do not load, and whose they are."""
    for registry in REGISTRIES:
        loaded, broken = [], []
        for name, points in registry.points().items():
            try:
                loaded.append(registry.get(name).name)
            except UserError as error:
                distribution = owner(points[0]).split()[0]
                mend = f"{installer()} uninstall {distribution}"
                broken.append(Finding(f"{registry.kind} {name}", str(error), mend))
        yield Finding(f"{registry.kind}s", ", ".join(loaded) or "none")
        yield from broken


def datasets(directory: Path | None, cache: Path) -> Iterator[Finding]:
    """Tell which data sets are at hand; one that is not is no problem until it is asked for."""
    absent = f"not in {directory}" if directory else f"not in {cache}; --data-dir looks elsewhere"
    words = {True: "found", False: absent, None: "does not tell whether it is here"}
    for name in DATASETS.names():
        try:
            text = words[DATASETS.get(name).cls().found(directory, cache)]
        except Exception as error:  # a stranger's, or a package's that `imports` tells of
            text = f"cannot be looked for ({error})"
        yield Finding(f"data {name}", text)


def storage(runs: Path) -> Finding:
    """Tell whether the folder `runs` can be written to and how much fits."""
    place = runs.absolute()
    while not place.exists():
        place = place.parent
    another = "robench train --runs ANOTHER_FOLDER"
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding("runs", f"{runs} cannot be written to ({error.strerror})", another)
    text = f"{runs} can be written to, {free / 2**30:.1f} GiB free"
    return Finding("runs", text, "" if free >= ENOUGH else another)


def variables(environment: Mapping[str, str], strange: Mapping[str, str]) -> Iterator[Finding]:
    """Say which options of commands are given by the environment (docs/scripting.md).

    `strange`: what is wrong with a variable, for those that are no option.
    """
    given = [name for name in sorted(environment) if name.startswith("ROBENCH_")]
    text = ", ".join(f"{name}={environment[name]}" for name in given)
    yield Finding("options in the environment", text or "none")
    for name, wrong in strange.items():
        yield Finding("options in the environment", f"{name} {wrong}", f"unset {name}")


def _release(text: str) -> tuple[int, ...]:
    """Return the numbers of a version, less zeros at the end and marks of builds or candidates."""
    found = re.match(r"\d+(?:\.\d+)*?(?=(?:\.0+)*(?![.\d]))", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()
