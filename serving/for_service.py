"""What a service needs of a large company, kept in files before it looks for them: rows by customer
and what groups add up to. Published scores are mapped by whoever publishes them."""

from __future__ import annotations

from collections.abc import Callable

from data.snapshot import Snapshot
from serving.kept_rows import Place, is_large, keep_rows
from serving.kept_sums import keep_sums
from serving.predictor import Predictor


def keep_for_service(
    snapshot: Snapshot, predictor: Predictor, tell: Callable[[str], None] = lambda message: None
) -> None:
    """Keep what answers by this model need of a snapshot beside it; of a small one, which a
    service holds in memory, nothing."""
    if is_large(snapshot):
        keep_rows(snapshot, Place.of(snapshot), tell)
        tell("adding up groups for the service")
        keep_sums(predictor, snapshot)
