"""What the model would have said: rolling origins, with the simple baselines beside it.

At each cutoff everything is done as on that day: the view is chosen from what was recorded by then,
training times end where labels were complete by then (so between the last label that was learned
from and the first that judges there is no overlap), labels are read as they were known then. Then
everybody is scored as of the cutoff, and only the judging labels look past it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from data.errors import NotEnoughHistory
from data.tables import Tables
from features.complaint import ComplaintRule
from features.compute import compute
from features.labels import labels as compute_labels
from features.messages import Reading, Texts, reading
from features.spec import FeatureView
from features.spine import customers_at
from features.views import default_view
from models.risk.baselines import fit_baselines
from models.risk.days import learn_days
from models.risk.fallback import fall_back
from models.risk.model import RiskModel
from models.risk.plain import plain_rows
from models.risk.population import RiskCase, TrainingSet, training_set, training_times
from models.risk.settings import RiskSettings, risk_settings
from models.risk.train import train_risk

BASELINES = ("rule", "logistic")
Say = Callable[[str], None]


def backtest_risk(
    tables: Tables,
    cutoffs: Sequence[datetime],
    horizons: Sequence[int],
    case: RiskCase,
    *,
    known_as_of: datetime | None = None,
    settings: RiskSettings | None = None,
    seed: int = 0,
    baselines: Sequence[str] = BASELINES,
    say: Say | None = None,
    warn: Say | None = None,
    texts: Texts = "no",
    by_text: bool = False,
    time_zone: str = "UTC",
    countries: Sequence[str] = (),
) -> pd.DataFrame:
    """One row per customer and cutoff: ``customer_id, cutoff, risk_7d, label_7d, ...``.

    Also ``{baseline}_7d`` for each of ``baselines`` (rule, logistic, lightgbm), learned from the
    same customers, moments and labels, but from the tables, not the view (models/risk/plain.py).
    Labels are NaN where the window is not complete by ``known_as_of`` (default: the newest ticket's
    time, up to which outcomes can be known). ``texts``, ``by_text``: whether features, and labels,
    are made of texts too (features/messages.py), read as on that day.
    ``countries``: whose holidays count. ``topic`` and ``channel`` (str) are the likeliest of the
    next complaint, null if none was ever seen; ``model`` is ``learned``, or ``rule`` where history
    was too short by a cutoff (models/risk/fallback.py), which ``warn`` is told. Raises DataError,
    and NotEnoughHistory where not even a rule can be had, the message naming the cutoff.
    """
    tell = say or (lambda message: None)
    lengths = tuple(sorted(set(horizons)))
    end = known_as_of or newest_ticket(tables)
    frames = []
    for cutoff in sorted(cutoffs):
        tell(f"cutoff {cutoff}: learning from what was known then")
        model, view, learned, read = _learned_at(
            tables,
            cutoff,
            lengths,
            case,
            settings,
            seed,
            texts,
            by_text,
            time_zone,
            countries,
            warn or tell,
        )
        spine = customers_at(tables, [cutoff], case.risk.active_within_days)
        now = compute(view, spine, read.features)
        out: dict[str, Any] = {"customer_id": spine["customer_id"], "cutoff": spine["as_of"]}
        predictions = model.predict(now)
        beside = judged_baselines(
            read.features,
            learned,
            now,
            lengths,
            baselines,
            complaint=case.complaint,
            seed=seed,
            otherwise=predictions,
        )
        actual = compute_labels(
            spine,
            read.labels,
            horizons=lengths,
            gap_days=case.risk.gap_days,
            known_as_of=end,
            complaint=case.complaint,
        )
        for h in lengths:
            out[f"risk_{h}d"] = predictions[f"risk_{h}d"]
            out[f"label_{h}d"] = actual[f"label_{h}d"]
            out |= {name: values for name, values in beside.items() if name.endswith(f"_{h}d")}
        out["expected_tickets_30d"] = predictions["expected_tickets_30d"]
        out[f"tickets_{lengths[-1]}d"] = actual[f"tickets_{lengths[-1]}d"]
        out |= {name: predictions[name].astype("str") for name in ("topic", "channel")}
        out["model"] = "rule" if model.rule_because else "learned"
        frames.append(pd.DataFrame(out))
    return pd.concat(frames, ignore_index=True)


def _learned_at(
    tables: Tables,
    cutoff: datetime,
    horizons: tuple[int, ...],
    case: RiskCase,
    settings: RiskSettings | None,
    seed: int,
    texts: Texts,
    by_text: bool,
    time_zone: str,
    countries: Sequence[str],
    warn: Say,
) -> tuple[RiskModel, FeatureView, TrainingSet, Reading]:
    """The model of one cutoff, its features, the rows it learned from, the tables as it reads."""
    try:
        times = training_times(tables, cutoff, horizons, case.risk)
        read = reading(tables, times, case.complaint, texts=texts, by_text=by_text)
        view = default_view(read.features, case, cutoff, time_zone)
        learned = training_set(read.features, view, cutoff, horizons, case, labels_from=read.labels)
        model = train_risk(
            learned.features,
            learned.labels,
            horizons=horizons,
            seed=seed,
            settings=settings or risk_settings(case.risk),
            cards=view.cards(),
            gap_days=case.risk.gap_days,
            days=learn_days(
                read.labels,
                cutoff,
                case.complaint,
                countries=countries,
                time_zone=time_zone,
                gap_days=case.risk.gap_days,
            ),
        )
        return model, view, learned, read
    except NotEnoughHistory as missing:
        try:
            stand_in = fall_back(
                tables, cutoff, horizons, case, missing, texts=texts, by_text=by_text
            )
            rule = stand_in.learn()
        except NotEnoughHistory as less:
            raise NotEnoughHistory(f"cutoff {cutoff}: {less}") from None
        warn(f"cutoff {cutoff}: {stand_in.why}")
        return rule, stand_in.view, stand_in.rows, stand_in.read


def judged_baselines(
    tables: Tables,
    learned: TrainingSet,
    now: pd.DataFrame,
    horizons: Sequence[int],
    which: Sequence[str],
    *,
    complaint: ComplaintRule,
    seed: int = 0,
    otherwise: pd.DataFrame | None = None,
) -> dict[str, np.ndarray]:
    """``{baseline}_{h}d`` for the customers and moments of ``now``, row by row.

    Learned from those of the training set and its labels; what is known of them is computed here
    from the tables (``plain_rows``), so neither set's features have a say. A horizon with labels of
    one class, or none, has nothing to learn from: there each baseline says what ``otherwise`` (a
    model's predictions for ``now``) does; without that, DataError.
    """
    out: dict[str, np.ndarray] = {}
    if not which:
        return out
    keys = ["customer_id", "as_of"]
    past = plain_rows(tables, learned.features[keys], complaint)
    present = plain_rows(tables, now[keys], complaint)
    for h in horizons:
        y = learned.labels[f"label_{h}d"].to_numpy(dtype=np.float64)
        known = ~np.isnan(y)
        if otherwise is not None and len(np.unique(y[known])) < 2:
            out |= {f"{name}_{h}d": otherwise[f"risk_{h}d"].to_numpy() for name in which}
            continue
        fitted = fit_baselines(past[known], y[known], which, seed=seed)
        out |= {f"{name}_{h}d": model(present) for name, model in fitted.items()}
    return out


def newest_ticket(tables: Tables) -> datetime:
    """The time of the newest ticket: no complaint after it has been seen."""
    newest = tables.frame("tickets", ["opened_at"])["opened_at"].max()
    return pd.Timestamp(newest).to_pydatetime()
