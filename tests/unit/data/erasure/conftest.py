"""A workspace in which one person stands in every place, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.erasure_person import planted
from data.workspace import Workspace


@pytest.fixture(scope="session")
def planted_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace; copy it before you change it."""
    return planted(tmp_path_factory.mktemp("planted") / "company").path


@pytest.fixture
def workspace(planted_once: Path, tmp_path: Path) -> Workspace:
    """A copy of it."""
    shutil.copytree(planted_once, tmp_path / "company")
    return Workspace.open(tmp_path / "company")
