"""The objects of an S3 bucket: tokens with every answer, conditional puts, the store's own time."""

import errno
import os
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from robench.errors import UserError
from robench.store import names
from robench.store.failing import told
from robench.store.objects import Got, Objects

SINGLE = 5 * 2**30
"""Bytes that one put takes."""
REFUSED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
"""Another was there before, or at the same time."""


class NotHonoured(UserError):
    """The store has no conditional puts, and says so."""


class S3(Objects):
    """Objects as `s3fs` has them."""

    conditional = True

    def __init__(self, url: str, files: Any, root: str) -> None:
        """`files`: an `s3fs.S3FileSystem`; `root`: bucket and prefix."""
        super().__init__(url, files, root)
        self._bucket, _, self._prefix = root.partition("/")

    def check(self) -> None:
        """Raise UserError where there is no such bucket, or access is refused."""
        with told(self.url):
            asked = {"Prefix": self._prefix, "MaxKeys": 1}
            self._files.call_s3("list_objects_v2", Bucket=self._bucket, **asked)

    def get(self, name: str) -> Got | None:
        """Return an object, its age by the server's clock; None where it is not there."""
        from fsspec.asyn import sync

        with told(self.url):
            try:
                found: Got = sync(self._files.loop, self._got, name)
                return found
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                return None

    async def _got(self, name: str) -> Got:
        answer = await self._files._call_s3("get_object", **self._named(name))
        async with answer["Body"] as body:
            names.check_size(self.url, name, answer["ContentLength"])
            content = await body.read()
        stored: datetime = answer["LastModified"]
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return Got(content, answer["ETag"].strip('"'), (now - stored).total_seconds())

    def put(self, name: str, content: bytes) -> str:
        """Put an object; return its token."""
        if len(content) > SINGLE:
            return super().put(name, content)
        with told(self.url):
            return self._put(name, content)

    def put_if(self, name: str, content: bytes, token: str | None) -> str | None:
        """Put an object where there is none, or the one with `token`; None where it is refused."""
        condition = {"IfNoneMatch": "*"} if token is None else {"IfMatch": f'"{token}"'}
        with told(self.url):
            try:
                return self._put(name, content, **condition)
            except FileNotFoundError as error:  # what was to be replaced is gone
                if _code(error) == "NoSuchBucket":
                    raise
                return None
            except OSError as error:
                if error.errno == errno.ENOSYS:
                    raise NotHonoured(f"{self.url} has no conditional puts") from None
                if _code(error) in REFUSED:
                    return None
                raise

    def _put(self, name: str, content: bytes, **condition: str) -> str:
        named = self._named(name)
        answer = self._files.call_s3("put_object", **named, Body=content, **condition)
        return str(answer["ETag"]).strip('"')

    def _named(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": "/".join(filter(None, [self._prefix, name]))}

    def honours_conditions(self) -> bool:
        """Try out whether the store refuses what it should; some ignore what they do not know."""
        name, content = f".{os.urandom(8).hex()}.probe", b"robench"
        try:
            made = self.put_if(name, content, None)
            again = self.put_if(name, content, None)
            other = self.put_if(name, content, "0" * 32)
        except NotHonoured:
            return False
        finally:
            self.remove(name)
        return made is not None and again is None and other is None


def _code(error: OSError) -> str:
    """Return what the server called an error."""
    answer = getattr(error.__cause__, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))
