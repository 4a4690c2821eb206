"""The model at work under watch: a night goes back to the champion before where live answers, their
time or calibration break and that one is better; the challenger is looked at in the shadow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from data.clock import SYSTEM
from data.errors import DamagedFile
from data.store import has_store, open_store, registry_event, registry_history
from features.opt_out import profiled
from features.spine import customers_at
from models.champion import Champion, challenger, champion, former
from pipelines.console import say
from pipelines.exclusive import still_ours
from pipelines.run import Run
from pipelines.tracking import tell_server
from serving.monitoring.finding import Finding
from serving.monitoring.live import live_moments, live_rows
from serving.monitoring.shadow import SHADOW, night_pairs, shadow_findings
from serving.monitoring.standing import (
    Answers,
    Verdict,
    answers_of,
    judge_answers,
    judge_calibration,
)
from serving.prediction_outcomes import Night, nights
from serving.predictor import Predictor

KIND = "risk"
LOOK_BACK = timedelta(days=90)


@dataclass(frozen=True)
class GoneBack:
    """What was decided; ``to``: the champion that is at work again, None where none is."""

    finding: Finding
    to: Champion | None = None


def answers_by(run: Run, model: Champion) -> Answers:
    """What a registered model answers of some customers of today."""
    spine = profiled(customers_at(run.snapshot, [run.as_of]), run.snapshot)
    try:
        predictor = Predictor.of_version(model)
    except DamagedFile as damaged:
        return Answers(len(spine), error=str(damaged))
    return answers_of(predictor, spine, run.snapshot)


def guarded(run: Run, findings: Sequence[Finding]) -> GoneBack | None:
    """Go back to the champion before where the findings say that the one at work broke, and it is
    better; None where nothing broke. Only a run of the newest moment does so."""
    broken = [
        f
        for f in findings
        if f.area == "predictions"
        and f.status == "alarm"
        and f.what.startswith(("risk", "answers"))
    ]
    at_work = champion(run.state_dir, KIND)
    if not broken or at_work is None or run.is_past or not run.publishes("monitor"):
        return None
    if not run.settings.risk.automatic_rollback:
        return GoneBack(
            _finding("notice", "the model at work broke; [risk] automatic_rollback is off")
        )
    before = former(run.state_dir, KIND, _moves(run))
    if before is None:
        alone = "the model at work broke; there is no champion before it"
        return GoneBack(_finding("notice", alone))
    verdict = _judged(run, at_work, before, broken)
    if not verdict.back:
        why = f"not gone back to version {before.version}: {verdict.why}"
        return GoneBack(_finding("notice", why, "Train anew."))
    still_ours()
    return _go_back(run, at_work, verdict)


def _judged(run: Run, at_work: Champion, before: Champion, broken: Sequence[Finding]) -> Verdict:
    most_seconds = run.settings.risk.answer_ms / 1000
    earlier = answers_by(run, before)
    verdict = judge_answers(answers_by(run, at_work), earlier, most_seconds)
    if verdict is not None:
        return verdict
    lines = [f.text for f in broken]
    if fault := earlier.fault(most_seconds):
        return Verdict(False, f"{'; '.join(lines)}; but of the champion before: {fault}")
    horizon = int(next(f.what for f in broken if f.what.startswith("risk")).split()[1])
    models = [Predictor.of_version(one) for one in (at_work, before)]
    if horizon not in models[1].model.horizons:
        return Verdict(False, f"{lines[0]}; the champion before has no {horizon} days")
    moments = live_moments(horizon, at_work.as_of, run.settings, run.as_of)
    outcomes, predictions = live_rows(
        models, horizon, moments, run.snapshot, run.settings, run.as_of
    )
    return judge_calibration(
        lines,
        outcomes[f"label_{horizon}d"].to_numpy(np.float64),
        predictions[0],
        predictions[1],
        outcomes["customer_id"].to_numpy(),
        run.settings.risk.seed,
    )


def _go_back(run: Run, at_work: Champion, verdict: Verdict) -> GoneBack:
    from models.registry import rollback

    with open_store(run.workspace) as store:

        def record(move: dict[str, Any]) -> None:
            details = {**move, "at": move["at"].isoformat(), "by": "monitor"}
            at = SYSTEM.now()
            registry_event(store, KIND, str(move["version"]), move["event"], at, details=details)

        why, figures = verdict.why, verdict.figures
        to = rollback(run.state_dir, KIND, at=SYSTEM.now(), record=record, why=why, figures=figures)
    tell_server(run.workspace, KIND)
    text = f"went back from version {at_work.version} to {to.version}: {why}"
    say(text)
    act = "See `presage models DIR show`; train anew, and promote what the gate lets pass."
    return GoneBack(_finding("alarm", text, act), to)


def _finding(status: Any, text: str, act: str = "") -> Finding:
    return Finding("predictions", "rollback", status, text, act)


def _moves(run: Run) -> list[dict[str, Any]]:
    if not has_store(run.workspace):
        return []
    with open_store(run.workspace) as store:
        return registry_history(store, KIND)


def challenger_findings(run: Run, published: Sequence[Night]) -> list[Finding]:
    """The challenger's scores of past nights beside the ``published`` ones, and what came; none
    where no version is a challenger."""
    try:
        beside = challenger(run.state_dir, KIND)
        if beside is None or not run.settings.risk.shadow or not has_store(run.workspace):
            return []
        horizon = Predictor.of_version(beside).model.horizons[0]
    except DamagedFile as damaged:  # nobody is answered by it
        return [Finding("predictions", "challenger", "notice", str(damaged))]
    name = beside.model_version
    shadow = nights(run.state_dir, SHADOW, run.as_of - LOOK_BACK)
    own = [night for night in shadow if night.model_version == name]
    return shadow_findings(
        *night_pairs(published, own, horizon), name, horizon, run.settings.risk.seed
    )
