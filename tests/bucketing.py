"""A server of buckets of the tests' own, which can be told to fail as stores do."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH")


class Buckets:
    """What S3 would be, in this process: moto behind a lock."""

    def __init__(self) -> None:
        """Begin with nothing."""
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        # moto looks whether an object is there and then puts it; the lock makes that one step.
        self._lock = threading.Lock()
        self._moto: Application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.ignores_conditions = False
        self.refuses: Callable[[str, str], bool] = lambda method, path: False
        self.asked: list[tuple[str, str]] = []
        """Method and path of each request, in their order."""
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _answer(self, asked: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = asked["REQUEST_METHOD"], asked["PATH_INFO"]
        if self.refuses(method, path):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"]
        if self.ignores_conditions:
            for name in CONDITIONS:
                asked.pop(name, None)
        with self._lock:
            self.asked.append((method, path))
            return self._moto(asked, start)

    def made(self) -> str:
        """Make a bucket; return the URL of a prefix in it."""
        name = f"bench-{uuid4().hex[:8]}"
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}/sweep"

    def client(self) -> Any:
        """Return what boto3 talks to the server with."""
        import boto3

        keys = {"aws_access_key_id": "me", "aws_secret_access_key": "me"}
        return boto3.client("s3", endpoint_url=self.address, region_name="us-east-1", **keys)

    def objects(self, url: str) -> dict[str, bytes]:
        """Return all under a URL, by the names below it."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        client = self.client()
        found = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
        return {
            one["Key"][len(prefix) + 1 :]: client.get_object(Bucket=bucket, Key=one["Key"])[
                "Body"
            ].read()
            for one in found
        }

    def put(self, url: str, name: str, content: bytes) -> None:
        """Put an object as it stands, whatever its name."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self.client().put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content)

    def remove(self, url: str, name: str) -> None:
        """Remove an object."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        with suppress(KeyError):
            self.client().delete_object(Bucket=bucket, Key=f"{prefix}/{name}")

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def serving_buckets() -> Iterator[Buckets]:
    """Serve buckets until the end."""
    found = Buckets()
    try:
        yield found
    finally:
        found.close()
