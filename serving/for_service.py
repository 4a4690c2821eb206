"""What a service needs of a large company, kept in files before it starts: rows by customer, what
groups add up to, the published scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from data.folder import STATE
from data.snapshot import open_snapshot
from serving.kept_rows import Place, is_large, keep_rows
from serving.kept_scores import published_scores
from serving.kept_sums import keep_sums
from serving.predictor import Predictor
from serving.published import pointer


def keep_for_service(workspace: Path, tell: Callable[[str], None] = lambda message: None) -> None:
    """Keep what the newest published scores need beside their snapshot; of a small company, which
    a service holds in memory, nothing."""
    state_dir = workspace / STATE
    about = pointer(state_dir, "scores")
    assert about is not None
    snapshot = open_snapshot(state_dir / "snapshots" / about["snapshot"])
    if is_large(snapshot):
        keep_rows(snapshot, Place.of(snapshot), tell)
        tell("adding up groups for the service")
        keep_sums(Predictor.of_champion(state_dir), snapshot)
    published_scores(state_dir, snapshot)
