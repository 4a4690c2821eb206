"""One number, published: the customers' expected tickets and the forecast tell the same total.

Whichever of ``score`` and ``forecast`` comes second for an as-of time joins the two: both results
are published again, scaled to the one total (models/one_number.py). What the sources said before is
kept beside each (``raw`` over ``scale``), so joining again changes nothing.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from data.clock import SYSTEM
from data.store import open_store, save_forecast
from data.tables import Tables
from data.workspace import Workspace
from models.champion import champion
from models.one_number import SPAN_DAYS, OneNumber, Record, join, others_expected
from models.outreach_line import LINE
from models.volume.series import TOTAL
from serving.published import Kind, Published, newest, pointer, publish

TICKETS = "expected_tickets_30d"
WITHOUT_SCORES = "not reconciled with customer scores: run `presage score --as-of {}` first"
WITHOUT_FORECAST = "not reconciled with the forecast: run `presage forecast --as-of {}` first"


def join_published(
    workspace: Workspace, tables: Tables, as_of: datetime
) -> tuple[OneNumber | None, str]:
    """Make the newest scores and the newest forecast one; what was done, in one line.

    None where there is nothing to join: either is not there as of this moment, or the forecast has
    no total of contacts.
    """
    state = workspace.state_dir
    if not _is_as_of(state, "scores", as_of):
        return None, WITHOUT_SCORES.format(as_of.isoformat())
    if not _is_as_of(state, "forecast", as_of):
        return None, WITHOUT_FORECAST.format(as_of.isoformat())
    scores, forecast = newest(state, "scores"), newest(state, "forecast")
    assert scores is not None and forecast is not None
    if not (forecast.frame["unique_id"] == TOTAL).any() or not tables.has("tickets"):
        return None, "not reconciled with customer scores: the forecast has no total of tickets"
    before = [float(one.about.get("scale", 1.0)) for one in (scores, forecast)]
    raw_tickets = scores.frame[TICKETS] / before[0] if before[0] > 0 else scores.frame[TICKETS]
    number = _joined(workspace, tables, scores, forecast, before[1], raw_tickets.sum(), as_of)
    rows = scores.frame.assign(**{TICKETS: raw_tickets * number.customer_scale})
    _again(workspace, "scores", rows, scores, number, number.customer_scale)
    frame = scaled(forecast.frame, number.forecast_scale / before[1] if before[1] > 0 else 1.0)
    now = _again(workspace, "forecast", frame, forecast, number, number.forecast_scale)
    with open_store(workspace) as store:
        version = forecast.about["model_version"]
        meta = {"freq": forecast.about.get("freq"), "scale": number.forecast_scale}
        meta["key"] = forecast.about.get("key")
        save_forecast(store, frame, as_of=as_of, issued_at=now, model_version=version, meta=meta)
    return number, in_words(number)


def in_words(number: OneNumber) -> str:
    """The one number as a line."""
    return (
        f"one number: {number.total:.0f} contacts in {number.days:g} days, "
        f"{number.customers:.0f} of them by the customers scored (series x "
        f"{number.forecast_scale:.3f}, customers x {number.customer_scale:.3f})"
    )


def number_of(published: Published) -> tuple[OneNumber | None, str]:
    """What a published result was scaled to, and that in one line; None where it was not."""
    about = published.about.get("one_number")
    if about is None:
        other = WITHOUT_FORECAST if TICKETS in published.frame.columns else WITHOUT_SCORES
        return None, other.format(published.as_of.isoformat())
    number = OneNumber(**{one.name: about[one.name] for one in fields(OneNumber)})
    return number, in_words(number)


def _is_as_of(state_dir: Path, kind: Kind, as_of: datetime) -> bool:
    about = pointer(state_dir, kind)
    return about is not None and datetime.fromisoformat(about["as_of"]) == as_of


def scaled(frame: pd.DataFrame, factor: float) -> pd.DataFrame:
    """A forecast with its mean, median, intervals and line of outreach times ``factor``."""
    columns = [name for name in frame.columns if name.startswith(("presage", LINE[0]))]
    return frame.assign(**{name: frame[name] * factor for name in columns})


def _joined(
    workspace: Workspace,
    tables: Tables,
    scores: Published,
    forecast: Published,
    scale: float,
    customers: float,
    as_of: datetime,
) -> OneNumber:
    rows = forecast.frame[forecast.frame["unique_id"] == TOTAL].sort_values("ds")
    inside = rows["ds"] < as_of + timedelta(days=SPAN_DAYS)
    steps = rows["ds"].diff().median() if len(rows) > 1 else pd.Timedelta(days=1)
    days = float(min(inside.sum() * (steps / pd.Timedelta(days=1)), SPAN_DAYS))
    others = others_expected(tables, as_of)
    # scores are of customers left alone: so is the total that both tell
    alone = rows["presage"] - rows[LINE[0]] if LINE[0] in rows else rows["presage"]
    series = float(alone[inside].sum()) / (scale if scale > 0 else 1.0)
    # scores published before they carried their model's record are as good as the model at work
    record = scores.about.get("record")
    return join(
        series,
        float(customers),
        others,
        days=days,
        series=_record(forecast.about.get("record", {})),
        customers=_record(_risk_notes(workspace) if record is None else record),
    )


def _record(document: dict[str, Any]) -> Record:
    return Record(
        tuple(document.get("said", ())), tuple(document.get("came", ())), document.get("windows")
    )


def _risk_notes(workspace: Workspace) -> dict[str, Any]:
    """What the risk model at work was judged by: its expected tickets at past moments."""
    from serving.predictor import Predictor

    if champion(workspace.state_dir, "risk") is None:
        return {}
    notes: dict[str, Any] = Predictor.of_champion(workspace.state_dir).model.notes.get(
        "tickets_judged", {}
    )
    return notes


def _again(
    workspace: Workspace,
    kind: Any,
    frame: pd.DataFrame,
    before: Published,
    number: OneNumber,
    scale: float,
) -> datetime:
    own = {"file", "sha256", "rows", "as_of", "published_at", "scale", "one_number"}
    about = {name: value for name, value in before.about.items() if name not in own}
    now = SYSTEM.now()
    document = {name: getattr(number, name) for name in number.__dataclass_fields__}
    document["customers_share"] = number.customers_share
    publish(
        workspace.state_dir,
        kind,
        frame,
        as_of=before.as_of,
        now=now,
        scale=scale,
        one_number=document,
        **about,
    )
    return now
