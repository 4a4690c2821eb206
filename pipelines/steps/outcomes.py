"""What came of the scores in the prediction log, joined to them once their windows are over."""

from __future__ import annotations

from collections.abc import Sequence

from data.clock import SYSTEM
from data.store import has_store, open_store, salt
from pipelines.exclusive import still_ours
from pipelines.run import Run
from serving.monitoring.watermarks import Watermark
from serving.outreach.exposures import exposures_of
from serving.prediction_log import FOLDER
from serving.prediction_outcomes import join_outcomes, people_of


def joined_outcomes(run: Run, marks: Sequence[Watermark]) -> int:
    """Join what came by the run's moment; how many scores got an outcome or a reason. Nothing where
    the moment is past, nobody was scored yet, or there are no tickets."""
    is_logged = (run.state_dir / FOLDER).is_dir() and has_store(run.workspace)
    mark = next((mark for mark in marks if mark.source == "tickets"), None)
    if run.is_past or not is_logged or mark is None:
        return 0
    run.report("joining what came to the scores of past nights")
    still_ours()
    with open_store(run.workspace) as store:
        secret = bytes.fromhex(salt(store, SYSTEM.now()))
        exposures = exposures_of(run.snapshot, store, run.settings, run.as_of)
    return join_outcomes(
        run.state_dir,
        run.snapshot,
        run.settings,
        people_of(run.snapshot, secret, run.as_of),
        exposures,
        as_of=run.as_of,
        arrived_until=mark.until if mark.stopped else run.as_of,
        now=SYSTEM.now(),
    )
