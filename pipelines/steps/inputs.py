"""What every flow begins with: the snapshot, the moment to look from, the features there are."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from data.snapshot import Snapshot, open_snapshot
from data.workspace import Workspace
from pipelines.console import Progress
from pipelines.exclusive import writing
from pipelines.run import moment_of, snapshot_of


def take_snapshot(workspace: Path, report: Progress) -> Path:
    """The workspace's tables and posted events as an immutable, verified folder."""
    return snapshot_of(Workspace.open(workspace), report).path


def resolve_as_of(workspace: Path, snapshot: Path, as_of: datetime | None) -> datetime:
    """``as_of``, or the default of the contract; said either way."""
    return moment_of(Workspace.open(workspace), open_snapshot(snapshot), as_of)[0]


def count_features(workspace: Path, report: Progress) -> tuple[int, list[tuple[str, int]]]:
    """How many features the tables give, and what is missing that would give more."""
    from features.views import default_view, what_is_missing

    opened = Workspace.open(workspace)
    tables = open_snapshot(take_snapshot(workspace, report))
    zone = opened.settings.company.time_zone
    view = default_view(tables, opened.settings, time_zone=zone)
    return len(view.names), what_is_missing(tables, opened.settings, time_zone=zone)


def describe_features(
    workspace: Path, report: Progress
) -> tuple[list[dict[str, Any]], list[tuple[str, int]]]:
    """The cards of the default view, with the share of nulls at the default as-of time; and what is
    missing that would give more features."""
    from features.compute import compute
    from features.messages import reading
    from features.spine import customers_at
    from features.views import default_view, what_is_missing

    opened = Workspace.open(workspace)
    path = take_snapshot(workspace, report)
    tables: Snapshot = open_snapshot(path)
    moment = resolve_as_of(workspace, path, None)
    settings = opened.settings
    texts_read = reading(tables, [moment], settings.complaint, texts=settings.risk.texts).features
    view = default_view(texts_read, settings, time_zone=settings.company.time_zone)
    spine = customers_at(tables, [moment], settings.risk.active_within_days)
    report(f"computing {len(view.names)} features of {len(spine)} customers")
    values = compute(view, spine, texts_read)
    cards = [
        {**card, "null_share": round(float(values[card["name"]].isna().mean()), 4)}
        for card in view.cards()
    ]
    return cards, what_is_missing(texts_read, settings, time_zone=settings.company.time_zone)


def write_feature_sets(
    workspace: Path,
    as_of: datetime | None,
    count: int,
    step_days: float,
    dry_run: bool,
    report: Progress,
) -> dict[str, Any]:
    """Feature sets on disk at ``count`` times, ``step_days`` apart, the last at ``as_of``; a dry
    run only tells what they would take."""
    from features.sets import estimate, write_sets
    from features.views import default_view

    opened = Workspace.open(workspace)
    path = take_snapshot(workspace, report)
    snapshot = open_snapshot(path)
    moment = resolve_as_of(workspace, path, as_of)
    settings = opened.settings
    view = default_view(snapshot, settings, time_zone=settings.company.time_zone)
    times = [moment - timedelta(days=step_days * back) for back in reversed(range(count))]
    folder = opened.state_dir / "features"
    active = settings.risk.active_within_days
    plan = estimate(view, snapshot, times, folder, settings.engine, active_within_days=active)
    document: dict[str, Any] = {"plan": asdict(plan)}
    if not dry_run:
        with writing(opened, "features --write"):
            sets = write_sets(
                view, snapshot, times, folder, settings.engine, active_within_days=active,
                progress=lambda share, what: report(what, share),
            )  # fmt: skip
        document["sets"] = [
            {"as_of": s.as_of.isoformat(), "rows": s.rows, "folder": str(s.path)} for s in sets
        ]
    return document
