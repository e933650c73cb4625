"""From the URL of a store to the folder of this host that mirrors it."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from robench import mirrors
from robench.errors import UserError
from robench.records import digest
from robench.store.mirror import Mirror
from robench.store.objects import Objects
from robench.store.s3 import S3

EXTRA = "for s3:// it is pip install 'robench[s3]'"


def placed(text: str) -> Path:
    """Return a folder by its path, `file://` URL, or the URL of a store: then that mirrors it.

    The mirror is as it was left; `robench.mirrors.refresh` brings it up to date. Raises UserError
    where the store is not there, refuses, or needs a package that is not installed.
    """
    if "://" not in text:
        return Path(text)
    if text.startswith("file://"):
        return Path(unquote(urlsplit(text).path))
    url = text.rstrip("/")
    if root := mirrors.kept(url):
        return root
    objects = _objects(url)
    objects.check()
    root = mirror_of(url)
    root.mkdir(parents=True, exist_ok=True)
    mirrors.keep(root, Mirror(root, objects))
    return root


def mirror_of(url: str) -> Path:
    """Return the folder that mirrors a store, under the cache folder of this user."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    above = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    # The same name means another bucket where another server is asked.
    server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    return Path(os.path.realpath(above)) / "robench" / "stores" / digest([url, server], 16)


def _objects(url: str) -> Objects:
    scheme, _, rest = url.partition("://")
    if not rest.strip("/") or "::" in url or any(not part or part == ".." for part in _parts(rest)):
        raise UserError(f"--runs {url} names no store; say s3://BUCKET/PREFIX, or a folder")
    files, root = _file_system(url)
    return (S3 if scheme in ("s3", "s3a") else Objects)(url, files, root)


def _parts(rest: str) -> list[str]:
    return rest.split("/")


def _file_system(url: str) -> tuple[Any, str]:
    try:
        import fsspec

        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise UserError(
            f"--runs {url} needs a package that is not installed ({error}); {EXTRA}"
        ) from None
    except Exception as error:  # each file system has errors of its own
        known = " ".join(str(error).split())
        raise UserError(
            f"--runs {url} cannot be opened ({known}); say s3://BUCKET/PREFIX"
        ) from None
    return files, str(root).rstrip("/")
