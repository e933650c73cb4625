"""Why a file of weights cannot be read: it is damaged, of another form, or holds more."""

import io
import pickletools
import re
import zipfile
from pickle import UnpicklingError

SAFE = "import safetensors.torch as s; s.save_file(network.state_dict(), 'weights.safetensors')"
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""Begins what `torch.save` wrote before its files were zips."""
PICKLES = 5
"""In such a file: its mark, the format, the machine, the content, what is stored behind them."""
DAMAGED = "is damaged or cut short; fetch it again, or write it anew where it was made"
OTHER = "is neither a safetensors file nor one of torch.save, and nothing else is read; write"


def of_form(content: bytes) -> str:
    """Say why bytes that are neither safetensors' nor torch's are not read."""
    if not content:
        return "is empty; fetch it again, or write it anew where it was made"
    # Its 8 bytes of a length are followed by a dictionary.
    return DAMAGED if content[8:9] == b"{" else f"{OTHER}: {SAFE}"


def of_torch(content: bytes, error: Exception) -> str:
    """Say why `torch.load` refused bytes with `error`, in none of its words: it invites to more."""
    names = _names(content)
    if names is None:
        return DAMAGED
    if content.startswith(b"PK") and not any(name.endswith("/data.pkl") for name in names):
        return f"is a zip that torch.save did not write; write: {SAFE}"
    if any(name.endswith("/constants.pkl") for name in names):
        more = " (a program of torch.jit)"
    elif isinstance(error, UnpicklingError) and _whole(content):
        named = re.search(r"GLOBAL ([\w.]{1,100}) was not", str(error))
        more = f" ({named[1]})" if named else ""
    else:
        return DAMAGED
    return f"holds more than weights{more}, and nothing else is loaded; where it was made: {SAFE}"


def _names(content: bytes) -> list[str] | None:
    """Return the names in a zip, none where it is of the older form; None of a damaged zip."""
    if not content.startswith(b"PK"):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.namelist()
    except Exception:  # zipfile raises a dozen kinds for bytes that are damaged
        return None


def _whole(content: bytes) -> bool:
    """Tell whether the pickles of a file are those that were written, as far as that shows."""
    try:
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                entries = [one for one in archive.infolist() if one.filename.endswith("/data.pkl")]
                small = all(one.file_size <= len(content) for one in entries)
                return small and all(archive.read(one) for one in entries)  # reading checks the sum
        file = io.BytesIO(content)
        for _ in range(PICKLES):
            for _ in pickletools.genops(file):
                pass  # it raises where a pickle ends too soon
        return True
    except Exception:  # what a stranger's bytes do to the reader
        return False
