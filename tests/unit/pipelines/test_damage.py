"""A file of the state that is damaged is refused by its name, with what to do.

A few; all of them are ``python -m benchmarks.damage``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.damage import MENDS, WAYS
from data.clock import Clock
from data.errors import DamagedFile
from data.store import put_secret, read_secret
from data.workspace import Workspace
from serving.api.assembly import assemble


@pytest.fixture(scope="module")
def folder(trained_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("damage") / "company"
    shutil.copytree(trained_workspace, place, ignore=shutil.ignore_patterns("truth", "mlartifacts"))
    return place


@pytest.mark.parametrize(
    ("pattern", "way", "verb"),
    [
        ("models/risk/1-*/trees_7d.txt", "flipped", "score"),
        ("models/risk/1-*/manifest.json", "newer", "score"),
        ("models/risk/champion.json", "gone", "score"),
        ("published/scores.json", "flipped", "monitor"),
        ("store.db", "newer", "score"),
        ("store.db", "cut", "score"),
    ],
)
def test_a_verb_refuses_a_damaged_file_by_name(
    folder: Path, run_presage: Callable[..., Any], pattern: str, way: str, verb: str
) -> None:
    home = folder / ".presage"
    (file,) = home.glob(pattern)
    whole = file.read_bytes()
    aside = home / "published", home / "aside"
    if verb == "score":  # what is published already is not made again
        aside[0].rename(aside[1])
    try:
        assert WAYS[way](file)
        said = run_presage(verb, folder, code=1).stderr
    finally:
        file.write_bytes(whole)
        if verb == "score":
            shutil.rmtree(aside[0], ignore_errors=True)
            aside[1].rename(aside[0])
    assert file.name in said or "the store" in said
    assert re.search(MENDS, said)
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["secrets", "store.db"])
def test_a_service_is_not_started_without_what_there_was(
    folder: Path, run_presage: Callable[..., Any], name: str
) -> None:
    workspace = Workspace.open(folder)
    if read_secret(workspace, "api_keys") is None:
        put_secret(workspace, "api_keys", "5e")
    file = workspace.state_dir / name
    whole = file.read_bytes()
    file.unlink()
    try:
        said = run_presage("serve", folder, code=1).stderr
        with pytest.raises(DamagedFile, match=rf"{name} is gone.*backup"):
            assemble(workspace, Clock())
    finally:
        file.write_bytes(whole)
        file.chmod(0o600)
    assert f"{file} is gone" in said and "Traceback" not in said
