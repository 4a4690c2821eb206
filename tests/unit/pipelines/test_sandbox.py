"""The sandbox: another key at every start, and no folder of somebody else's overwritten."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from data.errors import UsageError
from data.store import SCOPES, open_store, verify_key
from data.workspace import Workspace, init
from pipelines.sandbox import make, opened
from serving.published import pointer


def test_each_start_prints_a_key_for_every_call(trained_workspace: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_workspace, tmp_path / "box")
    workspace = Workspace.open(tmp_path / "box")
    first, starts = opened(workspace)
    second, _ = opened(workspace)
    about = pointer(workspace.state_dir, "scores")
    assert about is not None
    assert starts == datetime.fromisoformat(about["as_of"]) + timedelta(hours=8)
    with open_store(workspace) as store:
        assert verify_key(store, first) is None
        found = verify_key(store, second)
        assert found is not None and set(found.scopes) == set(SCOPES)


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UsageError, match="not empty and no sandbox"):
        make(tmp_path, lambda message: None)
    workspace = init(tmp_path / "other")
    with pytest.raises(UsageError, match="presage score"):
        opened(workspace)


def test_a_sandbox_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".presage").mkdir()
    (tmp_path / ".presage" / "sandbox").touch()
    make(tmp_path, lambda message: pytest.fail(message))
