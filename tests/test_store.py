"""Runs in a store: what lies there when, who may work on it, what of it is not taken."""

import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("moto")
pytest.importorskip("s3fs")

import tiny
from bucketing import Buckets
from robench import mirrors
from robench.claim import Busy, Lost
from robench.errors import UserError
from robench.runs import RunFolder
from robench.store.listed import WrittenThenListed
from robench.store.objects import Objects
from robench.store.opening import placed
from stores import copied, elsewhere, foreign, made

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


def words(data: Path, url: str, **options: object) -> list[object]:
    """Return the words of a small training to a store."""
    of = tiny.options(data, Path("runs"), **options)
    return ["train", "--defense", "fgm", *of, "--runs", url]


def test_a_run_lies_in_the_store_as_it_would_in_a_folder(
    buckets: Buckets, tints: Path, tmp_path: Path
) -> None:
    url = buckets.made()
    wanted = tiny.planned("fgm", tints, tmp_path / "runs", epochs=2)
    tiny.epochs(wanted)
    ended = tiny.robench(*words(tints, url, epochs=2))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == f"{url}/{wanted.spec.key}"
    there = copied(buckets, url, tmp_path / "copy")
    key = wanted.spec.key
    assert made(RunFolder(there / key)) == made(RunFolder(tmp_path / "runs" / key))
    puts = [path.partition("/sweep/")[2] for method, path in buckets.asked if method == "PUT"]
    published = [name for name in puts if not name.startswith(".") and "/." not in name]
    assert published[-1] == f"{key}/DONE"
    assert published.count(f"{key}/state.safetensors") == 2
    names = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    local = {
        path.relative_to(tmp_path / "runs").as_posix()
        for path in (tmp_path / "runs" / key).rglob("*")
        if path.is_file()
    }
    assert names == local  # no lease, state or probe is left


def test_what_is_not_published_goes_on_from_its_last_epoch(
    buckets: Buckets, tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = buckets.made()
    wanted = tiny.planned("fgm", tints, tmp_path / "runs", epochs=3)
    tiny.epochs(wanted)
    buckets.refuses = lambda method, path: method == "PUT" and path.endswith("/DONE")
    ended = tiny.robench(*words(tints, url, epochs=3))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "access is refused (not you); see to the credentials" in ended.err
    assert f"{wanted.spec.key}/DONE" not in buckets.objects(url)
    assert "no finished run" in tiny.robench("eval", "--final", "--runs", url).err
    buckets.refuses = lambda method, path: False
    elsewhere(monkeypatch, tmp_path)
    ended = tiny.robench(*words(tints, url, epochs=3))
    assert (ended.code, ended.err) == (0, "")
    assert "epoch " not in ended.out  # all three were there: it was only finished
    there = copied(buckets, url, tmp_path / "copy")
    key = wanted.spec.key
    assert made(RunFolder(there / key)) == made(RunFolder(tmp_path / "runs" / key))


def test_another_host_goes_on_and_a_stale_mirror_never_wins(
    buckets: Buckets, tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = buckets.made()
    first = tiny.planned("fgm", tints, placed(url), epochs=4)
    training = tiny.stepwise(first)
    assert next(training).epoch == 1
    training.close()  # type: ignore[attr-defined]
    elsewhere(monkeypatch, tmp_path)
    second = replace(first, root=placed(url))
    training = tiny.stepwise(second)
    assert [next(training).epoch for _ in range(2)] == [2, 3]
    training.close()  # type: ignore[attr-defined]
    elsewhere(monkeypatch, tmp_path, "first")  # whose state is that of epoch 1
    again = replace(first, root=placed(url))
    assert [row.epoch for row in tiny.stepwise(again)] == [4]
    key = first.spec.key
    local = tiny.planned("fgm", tints, tmp_path / "runs", epochs=4)
    tiny.epochs(local)
    there = copied(buckets, url, tmp_path / "copy")
    assert made(RunFolder(there / key)) == made(RunFolder(tmp_path / "runs" / key))
    for name in list(buckets.objects(url)):
        buckets.remove(url, name)
    mirrors.refresh(again.root)
    time.sleep(1.1)  # what is that young may be about to be listed
    mirrors.refresh(again.root)
    assert not (again.root / key / "DONE").exists()


def test_who_was_taken_over_writes_no_further_epoch(
    buckets: Buckets, tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = buckets.made()
    wanted = tiny.planned("fgm", tints, placed(url), epochs=3)
    training = tiny.stepwise(wanted)
    next(training)
    name = f"{wanted.spec.key}/.lease"
    before = buckets.objects(url)
    buckets.put(url, name, foreign(60.0))
    with pytest.raises(Lost, match=r"was taken over by another process.* that one goes on"):
        next(training)
    after = buckets.objects(url)
    assert {n: c for n, c in after.items() if n != name} == {
        n: c for n, c in before.items() if n != name
    }
    assert after[name] == foreign(60.0)  # who has taken over keeps it
    elsewhere(monkeypatch, tmp_path)
    status = tiny.robench("status", "--runs", url).out
    assert "running" in status
    assert "process 7 on other" in status


def test_any_file_system_of_fsspec_will_do(tints: Path, tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    objects = Objects("memory://sweep", memory, "/sweep")
    assert objects.get("a/b") is None
    objects.put("a/b", b"one")
    assert [(one.name, one.size) for one in objects.list("")] == [("a/b", 3)]
    assert objects.list("nothing") == []
    with pytest.raises(NotImplementedError):
        objects.put_if("a/b", b"two", None)
    mine = WrittenThenListed(objects, "a")
    with pytest.raises(Busy):
        WrittenThenListed(objects, "a")
    mine.release()
    objects.remove("a/b")
    objects.remove("a/b")
    assert objects.list("") == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../../outside.json", r"has an object '\.\./\.\./outside\.json', which is no name"),
        ("evaluations//x.json", "which is no name of a file there; remove it"),
        ("evaluations/a\\b.json", "which is no name of a file"),
        (f"evaluations/{'x' * 201}.json", "which is no name of a file"),
        ("run/manifest.json/x", "has 'run/manifest.json' and 'run/manifest.json/x'"),
    ],
)
def test_names_that_are_none_of_files_are_refused(
    name: str, said: str, buckets: Buckets, tmp_path: Path
) -> None:
    url = buckets.made()
    buckets.put(url, "run/manifest.json", b"{}")
    buckets.put(url, name, b"{}")
    ended = tiny.robench("status", "--runs", url)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    with pytest.raises(UserError, match=said):
        mirrors.refresh(placed(url))
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found == []


def test_what_is_huge_is_not_fetched(
    buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from robench.store import names

    url = buckets.made()
    buckets.put(url, "matches/a.json", b" " * 2000)
    monkeypatch.setattr(names, "MOST", 1000)
    ended = tiny.robench("report", "--runs", url, "--out", tmp_path / "out")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert f"{url}/matches/a.json has 2,000 bytes, more than the 1,000 that are read" in ended.err


def test_a_damaged_state_is_refused(buckets: Buckets, tints: Path, tmp_path: Path) -> None:
    url = buckets.made()
    wanted = tiny.planned("fgm", tints, placed(url), epochs=2)
    training = tiny.stepwise(wanted)
    next(training)
    training.close()  # type: ignore[attr-defined]
    name = f"{wanted.spec.key}/state.safetensors"
    content = buckets.objects(url)[name]
    buckets.put(url, name, content[:-4] + b"oops")
    ended = tiny.robench(*words(tints, url, epochs=2))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith(f"Error: {url}/{name} is damaged")


def test_what_cannot_be_had_is_one_line(
    buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = buckets.made()
    cases = {
        "s3://nowhere-there/x": "s3://nowhere-there/x: there is no such bucket; make it",
        "s3://": "names no store; say s3://BUCKET/PREFIX, or a folder",
        "s3://a/../b": "names no store",
        "what://there/x": "--runs what://there/x cannot be opened (Protocol not known: what)",
    }
    for asked, said in cases.items():
        ended = tiny.robench("status", "--runs", asked)
        assert (ended.code, ended.err.count("\n")) == (2, 1), asked
        assert said in ended.err
    buckets.refuses = lambda method, path: True
    ended = tiny.robench("status", "--runs", url)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "access is refused (not you); see to the credentials" in ended.err
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(import_module("fsspec.registry")._registry, "s3")
    ended = tiny.robench("status", "--runs", url)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "needs a package that is not installed" in ended.err
    assert "pip install 'robench[s3]'" in ended.err


def test_a_path_and_a_file_url_are_as_before(tmp_path: Path) -> None:
    (tmp_path / "my runs").mkdir()
    assert placed(str(tmp_path)) == tmp_path
    assert placed(f"file://{tmp_path}/my%20runs") == tmp_path / "my runs"
    assert mirrors.urls() == []
    assert "no runs under" in tiny.robench("status", "--runs", f"file://{tmp_path}").out
