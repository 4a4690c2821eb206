"""Deleting everything after T changes no prediction and no forecast, to the last bit."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.contract import TABLES
from data.snapshot import Snapshot, open_snapshot
from data.tables import MemoryTables
from data.workspace import Workspace
from features.spine import customers_at
from models.champion import champion
from models.volume import VolumeContext, load_volume
from models.volume.series import series_from_tickets
from serving.predictor import Predictor


def as_if_at(tables: Snapshot, moment: datetime) -> MemoryTables:
    """The tables without any row or fact of ``moment`` or later, written by the contract's words
    and not by the code under test."""
    frames = {}
    for name in tables.names:
        table = TABLES[name]
        frame = tables.frame(name)
        frame = frame[frame["recorded_at"].isna() | (frame["recorded_at"] <= moment)]
        if table.birth:
            frame = frame[frame[table.birth] < moment]
        frame = frame.copy()
        known = {c.name: frame[c.known_at] < moment for c in table.columns if c.known_at}
        for column, told in known.items():
            frame[column] = frame[column].where(told)
        frames[name] = frame
    return MemoryTables(frames, tables.attributes)


@pytest.fixture(scope="module")
def company(trained_workspace: Path) -> tuple[Workspace, Snapshot]:
    workspace = Workspace.open(trained_workspace)
    (first, *_) = sorted((workspace.state_dir / "snapshots").iterdir())
    return workspace, open_snapshot(first)


@pytest.mark.parametrize("days_back", [0, 11, 47.3])
def test_predictions(company: tuple[Workspace, Snapshot], days_back: float) -> None:
    workspace, tables = company
    moment = workspace.default_as_of() - timedelta(days=days_back)
    before = as_if_at(tables, moment)
    predictor = Predictor.of_champion(workspace.state_dir)
    told = []
    for world in (tables, before):
        spine = customers_at(world, [moment])
        told.append(predictor.score(spine, world, reasons_for=20))
    pd.testing.assert_frame_equal(told[0], told[1], check_exact=True)
    assert len(told[0]) > 100


@pytest.mark.parametrize("days_back", [0, 30])
def test_forecasts(company: tuple[Workspace, Snapshot], days_back: int) -> None:
    workspace, tables = company
    moment = workspace.default_as_of() - timedelta(days=days_back)
    at_work = champion(workspace.state_dir, "volume")
    assert at_work is not None
    model = load_volume(at_work.folder)
    context = VolumeContext(time_zone=workspace.settings.company.time_zone)
    made = []
    for world in (tables, as_if_at(tables, moment)):
        history = series_from_tickets(world, moment, model.freq, context)
        made.append(model.forecast(history, horizon=24, context=context))
    pd.testing.assert_frame_equal(made[0], made[1], check_exact=True)
    assert np.isfinite(made[0]["presage"]).all()
