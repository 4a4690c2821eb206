"""Has a candidate a fault that its figures hide? A leak, a broken group, its cost."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.errors import DamagedFile, DataError
from data.tables import Tables
from data.workspace import Workspace
from features.opt_out import flagged
from models.champion import champion
from models.faults import Cost, Findings, broken_groups, cost, ranking, seconds_of, uneven
from models.risk.model import RiskModel
from models.risk.report import groups_of
from pipelines.steps.promotion import Promotion
from serving.predictor import Predictor


def faults(
    opened: Workspace,
    model: RiskModel,
    features: pd.DataFrame,
    y: Floats,
    predictions: pd.DataFrame,
    before: Mapping[int, Floats],
    groups: Floats,
    horizon: int,
    promotion: Promotion,
    tables: Tables,
) -> Findings:
    """What is found of a model on the judged rows.

    Parameters
    ----------
    features, y, predictions, groups:
        The rows that judge, their labels at ``horizon`` (days), what the twin says, and whose each
        row is: customer ids.
    before:
        What the champion's twin says of them, by horizon; empty where it is not known.
    promotion:
        With ``accept_changes`` what training found of single features is no leak.
    tables:
        Where it stands who is vulnerable, which no model is shown.
    """
    risk = predictions[f"risk_{horizon}d"].to_numpy()
    alarms = () if promotion.accept_changes else model.alarms
    all_faults = ranking(y, risk, groups, alarms)
    all_faults += broken_groups(y, risk, dict(groups_of(features)), before.get(horizon), groups)
    vulnerable = np.isin(groups, list(flagged(tables, "vulnerable")))
    all_faults += uneven(y, risk, {"vulnerable": vulnerable}, before.get(horizon), groups)
    one = features.head(1)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        own = Cost(_seconds(model, one), _size(Path(folder) / "model"))
    return [*all_faults, *cost(own, _champion(opened, one), opened.settings.risk.answer_ms / 1000)]


def _seconds(model: RiskModel, one: pd.DataFrame) -> float:
    return seconds_of(lambda: (model.predict(one), model.reasons(one)))


def _champion(opened: Workspace, one: pd.DataFrame) -> Cost | None:
    """What the model at work costs; None where there is none, or it cannot read the row."""
    at_work = champion(opened.state_dir, "risk")
    if at_work is None:
        return None
    try:
        model = Predictor.of_version(at_work).model
        return Cost(_seconds(model, one), _size(at_work.folder))
    except (DamagedFile, DataError):  # other features: nothing to compare with
        return None


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
