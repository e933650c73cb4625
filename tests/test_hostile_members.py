"""Submissions changed at random end in a line, and nothing lies outside."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds import little_memory
from hostile import cases, ends, mutated, spoilt
from robench.runs import SEAL
from robench.submissions import container
from robench.submissions.inspection import inspect
from robench.submissions.opening import opened
from submitting import members, signed, zipped


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for what is drawn."""
    return tmp_path_factory.mktemp("room")


@cases(40)
@given(data=st.data())
def test_whatever_a_member_holds(submitted: Path, room: Path, data: st.DataObject) -> None:
    content = members(submitted / "light.robench")
    for _ in range(data.draw(st.integers(1, 2))):
        name = data.draw(st.sampled_from(sorted(content)))
        if name.endswith(".json") and data.draw(st.booleans()):
            row = json.loads(content[name])
            row.pop(SEAL, None)
            content[name] = json.dumps(data.draw(mutated(row))).encode()
        else:
            content[name] = data.draw(spoilt(content[name]))
    path = room / "x.robench"
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        content = signed(content)  # as far as there is a manifest still
    path.write_bytes(zipped(list(content.items())))

    def look() -> None:
        with opened(path) as submission:
            list(inspect(submission, None, "cpu", None))

    with little_memory():
        ends("submission", look)


@cases(40)
@given(data=st.data())
def test_whatever_a_file_holds(submitted: Path, room: Path, data: st.DataObject) -> None:
    path = room / "x.robench"
    content = (submitted / "light.robench").read_bytes()
    path.write_bytes(data.draw(spoilt(content) | spoilt(content[-400:]) | st.binary(max_size=200)))
    with little_memory():
        ends("submission's bytes", lambda: container.unpack(path, room / "unpacked"))
    outside = {one.name for one in room.iterdir()}
    assert outside <= {"x.robench", "unpacked"}
