"""The functions of Presage that take what people have at hand: lists, mappings of frames, texts and
pandas Timestamps for moments. Each hands over to the one named in its description.

>>> orders = [{"order_id": "1", "customer_id": "a", "ordered_at": "2026-01-05"}]
>>> from features.language import count
>>> from features.sources import ORDERS
>>> compute(count(ORDERS, days=3), [("a", "2026-01-06")], {"orders": orders})
  customer_id      as_of  orders_count_3d
0           a 2026-01-06              1.0
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import UsageError
from presage.given import (
    frame,
    history_of,
    moment,
    moments,
    rule_of,
    spine_of,
    tables_of,
    view_of,
    whole_numbers,
)

if TYPE_CHECKING:
    import pandas as pd

    from data.snapshot import Snapshot
    from data.workspace import Workspace
    from features.spec import FeatureView
    from models.risk.model import RiskModel
    from models.uplift import Trial
    from models.volume import VolumeModel
    from serving.predictor import Predictor


def open_workspace(path: Path | str) -> Workspace:
    """The workspace in a folder; UsageError if it is none (``Workspace.open``)."""
    from data.workspace import Workspace

    if not isinstance(path, str | Path):
        raise UsageError(f"path: expected the workspace's folder; found {path!r}")
    return Workspace.open(path)


def snapshot(workspace: Workspace | Path | str) -> Snapshot:
    """The workspace's tables as they are now, kept unchanged on disk (``data.snapshot.take``)."""
    from data.snapshot import take

    return take(open_workspace_of(workspace))


def published(workspace: Workspace | Path | str, kind: str) -> pd.DataFrame:
    """The newest published result: ``scores``, ``forecast``, ``actuals``, ``staffing``,
    ``monitor``, ``kpis``, ... (``serving.published.newest``). UsageError where there is none."""
    from typing import get_args

    from data.errors import did_you_mean
    from serving.published import Kind, newest

    kinds = get_args(Kind)
    if kind not in kinds:
        raise UsageError(f"kind {kind!r}: there are {', '.join(kinds)}.{did_you_mean(kind, kinds)}")
    publication = newest(open_workspace_of(workspace).state_dir, kind)  # type: ignore[arg-type]
    if publication is None:
        raise UsageError(f"no {kind} is published yet in {workspace}; `presage score`, `forecast`, "
                         "`staff` and `monitor` publish")  # fmt: skip
    return publication.frame


def outcomes(
    workspace: Workspace | Path | str, since: object = None, horizon_days: int | None = None
) -> pd.DataFrame:
    """Every logged prediction with what came of it, or the reason why that is not known
    (``serving.prediction_outcomes.outcomes``): ``pseudonym``, ``model_version``, ``as_of``,
    ``horizon_days``, ``value``, ``outcome``, ``weight``, ``reason``, ... ``since``: the first day
    of the log."""
    from serving.prediction_outcomes import outcomes as of_log

    first = None if since is None else moment(since, "since")
    return of_log(open_workspace_of(workspace).state_dir, first, horizon_days=horizon_days)


def predictor(workspace: Workspace | Path | str) -> Predictor:
    """The risk model at work with its features: ``.view``, ``.model``, ``.score(spine, tables)``
    (``serving.predictor.Predictor``)."""
    from serving.predictor import Predictor

    return Predictor.of_champion(open_workspace_of(workspace).state_dir)


def past_contacts(workspace: Workspace | Path | str, as_of: object = None) -> Trial:
    """What chance decided about whom to contact, and what came of it, as known at a moment: to
    ``measure`` (``serving.outreach.measured.past_trial``). UsageError where nothing was decided."""
    from data.store import open_store
    from serving.outreach.measured import past_trial

    opened = open_workspace_of(workspace)
    when = opened.default_as_of() if as_of is None else moment(as_of, "as_of")
    with open_store(opened) as store:
        trial = past_trial(snapshot(opened), store, opened.settings, when)
    if trial is None:
        raise UsageError(
            f"nobody was contacted at random by {when:%Y-%m-%d}: outreach is measured by the "
            "treatments table, or by `presage outreach DIR --commit`"
        )
    return trial


def open_workspace_of(workspace: Workspace | Path | str) -> Workspace:
    """The workspace itself, or the one in a folder."""
    return open_workspace(workspace) if isinstance(workspace, str | Path) else workspace


def complaint_rule(rule: object = None) -> Any:
    """Which tickets are complaints where ``is_complaint`` is null: a mapping with the keys of
    ``[complaint]``, a list of topics, or a rule."""
    return rule_of(rule)


def view(*features: object) -> FeatureView:
    """A view of these features, in this order; lists of them are joined."""
    many: list[object] = []
    for one in features:
        many.extend(one if isinstance(one, list | tuple) else [one])
    return view_of(many)


def default_view(
    tables: object, complaint: object = None, as_of: object = None, time_zone: str = "UTC"
) -> FeatureView:
    """Every feature that these tables allow (``features.views.default_view``)."""
    from data.settings import Settings
    from features.views import default_view as of_settings

    when = None if as_of is None else moment(as_of, "as_of")
    return of_settings(tables_of(tables), Settings(complaint=rule_of(complaint)), when, time_zone)


def compute(view: object, spine: object, tables: object, **more: Any) -> pd.DataFrame:
    """The features of each ``customer_id`` as of each ``as_of`` (``features.compute.compute``).

    ``view``: a view, a feature or a list of them. ``spine``: a frame, or pairs of customer and
    moment. ``tables``: frames by the name of their table, a workspace, its folder, a snapshot.
    """
    from features.compute import compute as of_frames
    from features.history import History

    read = tables if isinstance(tables, History) else tables_of(tables)
    return of_frames(view_of(view), spine_of(spine), read, **more)


def customers_at(
    tables: object, as_ofs: object, active_within_days: int | None = None
) -> pd.DataFrame:
    """The customers that there were at a moment, or at each of some
    (``features.spine.customers_at``)."""
    from features.spine import customers_at as of_times

    return of_times(tables_of(tables), moments(as_ofs, "as_ofs"), active_within_days)


def labels(
    spine: object,
    tables: object,
    *,
    known_as_of: object,
    horizons: object = (7, 14, 30),
    complaint: object = None,
    gap_days: float = 0,
) -> pd.DataFrame:
    """Who complained within each horizon of days (``features.labels.labels``).

    ``known_as_of``: until when tickets are known. ``complaint``: see ``complaint_rule``.
    """
    from features.labels import labels as of_frames

    return of_frames(
        spine_of(spine),
        tables_of(tables),
        horizons=whole_numbers(horizons, "horizons"),
        gap_days=gap_days,
        known_as_of=moment(known_as_of, "known_as_of"),
        complaint=rule_of(complaint),
    )


def train_risk(
    features: object, labels: object, *, horizons: object = (7, 14, 30), **more: Any
) -> RiskModel:
    """P(complaint within h days) learned from features and labels, row by row the same customers
    and times (``models.risk.train.train_risk``)."""
    from models.risk.train import train_risk as of_frames

    both = ("customer_id", "as_of")
    frames = frame(features, "features", both), frame(labels, "labels", both)
    return of_frames(*frames, horizons=whole_numbers(horizons, "horizons"), **more)


def backtest_risk(
    tables: object, cutoffs: object, horizons: object, case: Any, **more: Any
) -> pd.DataFrame:
    """Risk learned at each cutoff and judged after it (``models.risk.backtest.backtest_risk``)."""
    from models.risk.backtest import backtest_risk as of_tables

    if "known_as_of" in more and more["known_as_of"] is not None:
        more["known_as_of"] = moment(more["known_as_of"], "known_as_of")
    when, days = moments(cutoffs, "cutoffs"), whole_numbers(horizons, "horizons")
    return of_tables(tables_of(tables), when, days, case, **more)


def series_from_tickets(
    tables: object, as_of: object, freq: str = "D", context: Any = None
) -> pd.DataFrame:
    """Contacts per channel, topic and step: ``unique_id, ds, y``
    (``models.volume.series_from_tickets``)."""
    from models.volume import series_from_tickets as of_tables

    return of_tables(tables_of(tables), moment(as_of, "as_of"), _freq(freq), context)


def forecast(history: object, *, horizon: int, freq: str = "D", **more: Any) -> pd.DataFrame:
    """The next ``horizon`` steps of every series, with intervals (``models.volume.forecast``).

    ``history``: ``unique_id, ds, y`` as a frame, a mapping or rows, or a Series by time.
    """
    from models.volume import forecast as of_frame

    (steps,) = whole_numbers(horizon, "horizon")
    return of_frame(history_of(history), horizon=steps, freq=_freq(freq), **more)


def train_volume(history: object, *, horizon: int, freq: str = "D", **more: Any) -> VolumeModel:
    """What ``forecast`` learns, to be kept (``models.volume.train_volume``)."""
    from models.volume import train_volume as of_frame

    (steps,) = whole_numbers(horizon, "horizon")
    return of_frame(history_of(history), horizon=steps, freq=_freq(freq), **more)


def backtest_volume(
    history: object, *, cutoffs: object, horizon: int, freq: str = "D", **more: Any
) -> pd.DataFrame:
    """Forecasts from each cutoff beside what came (``models.volume.backtest``)."""
    from models.volume import backtest as of_frame

    (steps,) = whole_numbers(horizon, "horizon")
    when = moments(cutoffs, "cutoffs")
    return of_frame(history_of(history), cutoffs=when, horizon=steps, freq=_freq(freq), **more)


def _freq(freq: object) -> str:
    if not isinstance(freq, str):
        raise UsageError(f'freq: expected a step such as "D", "h" or "30min"; found {freq!r}')
    return freq
