"""Names of plugins, in a command and in a record, and what a plugin's file may do."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from hostile import cases, ends, words
from recordings import rewrite
from robench.errors import UserError
from robench.planning import Request, plan
from robench.plugins import ATTACKS, DATASETS, DEFENSES, MODELS, REGISTRIES
from robench.runs import read_runs

MODULES = ["robench", "robench.errors", "os", "json.decoder", "", ".", "robench..x", "no_such"]
NAMES = st.builds("{}:{}".format, st.sampled_from(MODULES) | words, words | st.just("UserError"))
FILES = st.builds("{}.py{}".format, words, words.map(lambda word: f":{word}" if word else ""))


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
@cases(60)
@given(name=words | NAMES | FILES)
def test_names_in_a_command(registry: object, name: str) -> None:
    for one in REGISTRIES:
        if one is registry:
            ends("names", lambda one=one: one.get(name))  # type: ignore[misc]


@cases(40)
@given(
    kind=st.sampled_from(["defense", "dataset", "model"]),
    name=words | NAMES | FILES,
    number=st.sampled_from([0, -1, 2**31, 2**63, 10**30, 10**400]),
    field=st.sampled_from(["seed", "epochs", "batch_size", "validation"]),
)
def test_requests(kind: str, name: str, number: int, field: str, tmp_path_factory: object) -> None:
    given_ = {"defense": "baseline", "dataset": "digits", "device": "cpu", kind: name}
    ends("requests", lambda: plan(Request(**{**given_, field: number})))  # type: ignore[arg-type]


TEXTS = {
    "exits": "import sys\nsys.exit(3)",
    "interrupts": "raise SystemExit",
    "recurses": "def f():\n    f()\nf()",
    "is no Python": "(" * 500,
    "holds a NUL": "x = 1\0",
    "is nested": "(" * 100_000,
    "warns": "import warnings\nwarnings.warn('beware')\nraise ValueError('\\x1b[2J')",
    "claims any attribute": "def __getattr__(name):\n    raise RuntimeError(name)",
    "has odd annotations": (
        "from dataclasses import dataclass\nfrom robench.defense import Defense\n"
        "@dataclass(frozen=True)\nclass Mine(Defense):\n    eps: 'int[' = 1\n"
        "    def loss(self, *a):\n        return {}\n"
    ),
    "has unhashable annotations": (
        "from dataclasses import dataclass\nfrom typing import Annotated\n"
        "from robench.defense import Defense\n"
        "@dataclass(frozen=True)\nclass Mine(Defense):\n    eps: Annotated[int, []] = 1\n"
        "    def loss(self, *a):\n        return {}\n"
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_files_of_plugins(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(TEXTS[name])
    for word in (str(path), f"{path}:Mine"):
        with pytest.raises(UserError):
            DEFENSES.get(word)
        ended = tiny.robench("train", "--defense", word, "--dataset", "digits")
        assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
        assert "\x1b" not in ended.err


@cases(40)
@given(content=st.binary(max_size=80) | words.map(lambda word: word.encode(errors="replace")))
def test_files_of_other_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.py"
    path.write_bytes(content)
    ends("plugin files", lambda: DEFENSES.get(f"{path}:Mine"))


@pytest.mark.parametrize("key", ["dataset", "model"])
def test_a_record_runs_no_file(key: str, runs: Path, tints: Path, tmp_path: Path) -> None:
    sprung, evil = tmp_path / "sprung", tmp_path / "evil.py"
    evil.write_text(f"import os\nos.mkdir({str(sprung)!r})\n")
    for registry in (DATASETS, MODELS, ATTACKS):
        with pytest.raises(UserError, match="a record names the"):
            registry.recorded(f"{evil}:Mine")
    run = read_runs(runs)[0]
    manifest = runs / run.key / "manifest.json"
    content = json.loads(manifest.read_text())
    content["spec"][key] = f"{evil}:Mine"
    rewrite(manifest, content)
    options = ("--runs", runs, "--data-dir", tints, "--device", "cpu")
    for words_ in (["verify", run.key], ["eval", "--matched-accuracy", "0.7"]):
        ended = tiny.robench(*words_, *options)
        assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert not sprung.exists()


@cases(60)
@given(
    option=st.sampled_from(["--defense", "--dataset", "--model", "--set", "--width", "--seed"]),
    value=words | NAMES,
)
def test_options_of_a_command(option: str, value: str, tmp_path_factory: object) -> None:
    ended = ends("options", lambda: tiny.robench("train", "--dataset", "none", option, value))
    assert ended is not None
    assert ended.code in (2, 0), ended.err
    assert "Traceback" not in ended.err
    assert "A defect in robench" not in ended.err
