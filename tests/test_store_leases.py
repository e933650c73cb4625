"""The lease of a folder in a store: one has it, by the store's time, and knows when it is gone."""

import os
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest

pytest.importorskip("moto")
pytest.importorskip("s3fs")

from bucketing import Buckets
from robench import claim
from robench.claim import EXPIRY, Busy, Lost, claimed
from robench.holder import myself
from robench.store import lease
from robench.store.lease import Conditional
from robench.store.listed import WrittenThenListed
from robench.store.opening import placed
from robench.store.s3 import S3
from stores import foreign

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


def objects_of(url: str) -> S3:
    """Return the objects of a store."""
    import s3fs

    return S3(url, s3fs.S3FileSystem(), url.removeprefix("s3://"))


def test_a_lease_ends_by_the_time_of_the_store(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = buckets.made()
    root = placed(url)
    buckets.put(url, "run/.lease", foreign(1.5))
    said = f"{url}/run is being worked on by process 7 on other; wait for it"
    with pytest.raises(Busy, match=said), claimed(root / "run"):
        pytest.fail("let in")
    time.sleep(3.1)
    monkeypatch.setattr(lease, "time", None)  # no clock of this host is asked
    with claimed(root / "run") as mine:
        mine.check()
        assert b"mark" not in buckets.objects(url)["run/.lease"]
    assert "run/.lease" not in buckets.objects(url)


def test_a_killed_process_of_this_host_is_succeeded_at_once(buckets: Buckets) -> None:
    url = buckets.made()
    gone = replace(myself(EXPIRY), process=2**22 + 1)
    buckets.put(url, "run/.lease", gone.as_text().encode())
    with claimed(placed(url) / "run") as mine:
        mine.check()


@pytest.mark.parametrize("kind", [Conditional, WrittenThenListed])
def test_of_many_that_claim_at_once_never_two_go_on(
    kind: type[Conditional] | type[WrittenThenListed], buckets: Buckets
) -> None:
    url, start = buckets.made(), threading.Barrier(12)
    won: list[Conditional | WrittenThenListed] = []
    objects = objects_of(url)
    buckets.put(url, "run/.lease" if kind is Conditional else "run/.1-a.lease", foreign(-1.0))

    def contend() -> None:
        start.wait()
        with suppress(Busy):
            won.append(kind(objects, "run"))

    threads = [threading.Thread(target=contend) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    # With conditional puts one wins; without, all may withdraw.
    assert len(won) == 1 if kind is Conditional else len(won) <= 1
    for winner in won:
        winner.renew()
        winner.check()
        winner.release()
        with pytest.raises(Lost):
            winner.check()


def test_a_lease_is_renewed_and_only_as_long_as_it_is_mine(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = buckets.made()
    monkeypatch.setattr(claim, "BEAT", 0.05)
    with claimed(placed(url) / "run") as mine:
        first = buckets.objects(url)["run/.lease"]
        time.sleep(0.5)
        assert buckets.objects(url)["run/.lease"] != first
        mine.check()
        buckets.put(url, "run/.lease", foreign(60.0))
        time.sleep(0.5)
        assert buckets.objects(url)["run/.lease"] == foreign(60.0)
        with pytest.raises(Lost):
            mine.check()
    assert buckets.objects(url)["run/.lease"] == foreign(60.0)


def test_a_store_without_conditions_has_leases_too(buckets: Buckets) -> None:
    url = buckets.made()
    assert objects_of(url).honours_conditions()
    buckets.ignores_conditions = True
    assert not objects_of(url).honours_conditions()
    root = placed(url)
    with claimed(root / "run") as mine:
        (name,) = buckets.objects(url)
        assert name.startswith(f"run/.{os.getpid()}-")
        with pytest.raises(Busy):
            WrittenThenListed(objects_of(url), "run")
        mine.check()
        buckets.remove(url, name)
        with pytest.raises(Lost):
            mine.check()
    assert buckets.objects(url) == {}
