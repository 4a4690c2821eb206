"""Training the risk model: learned from everything, judged through a twin on the newest labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.errors import NotEnoughHistory
from data.sign_ups import REMEDY, suspect_in
from data.snapshot import Snapshot, open_snapshot
from data.workspace import Workspace
from features.messages import label_set
from models.figures import decay_plot, png
from models.floor import Floor
from models.frame_function import OfFeatures
from models.gate import Evaluation, Horizon, gate, joined
from models.metrics import Interval, recall_at
from models.risk.backtest import judged_baselines
from models.risk.baselines import BASELINES
from models.risk.model import TICKET_DAYS
from models.risk.page import Report, page
from models.risk.population import TrainingSet, known_by
from models.risk.repeat import in_words as repeats_in_words
from models.risk.report import ablation, decay, one_line, segments
from models.risk.search import SearchResult
from models.risk.settings import RiskSettings
from models.training_record import flat_numbers, of_nobody
from pipelines.console import Progress, Result, Timed, say
from pipelines.steps.promotion import USUAL, Promotion, kept_back_by
from pipelines.steps.provenance import flat, importances, rows_of, trials, twin_run
from pipelines.steps.risk_evaluation import RESAMPLES, measured, resamples, said_before
from pipelines.steps.risk_faults import faults
from pipelines.steps.risk_learning import HORIZONS, Learned, learn
from pipelines.steps.risk_rule import KIND, at_work, train_rule_model, train_stand_in
from pipelines.steps.training import Candidate, champion_twin, register

CALLED = 0.05
"""The share of customers whom we would call; ``one_line``'s too."""


def train_risk_model(
    workspace: Path,
    snapshot: Path,
    as_of: datetime,
    report: Progress,
    search_minutes: float | None = None,
    promotion: Promotion = USUAL,
) -> Result:
    """Train, evaluate, register, gate, promote; the shrunk rule where there is too little.

    ``search_minutes``: how long to search for better settings; None: as ``[risk]`` says.
    """
    watched = Timed(report)
    result = _trained(workspace, snapshot, as_of, watched, search_minutes, promotion)
    return Result(
        result.data, [*result.lines, "  where the time went:", *watched.ended()], result.exit_code
    )


def _trained(
    workspace: Path,
    snapshot: Path,
    as_of: datetime,
    report: Timed,
    search_minutes: float | None,
    promotion: Promotion,
) -> Result:
    opened = Workspace.open(workspace)
    tables = open_snapshot(snapshot)
    if not tables.has("tickets"):
        raise NotEnoughHistory("risk is learned from past complaints; there is no tickets table")
    suspect = suspect_in(tables, as_of)
    if suspect is not None:
        say(f"{suspect}. Nobody is learned from in their first day without an event; {REMEDY}")
    try:
        learned = learn(opened, tables, as_of, search_minutes, report)
    except NotEnoughHistory as missing:
        return train_rule_model(opened, tables, as_of, HORIZONS, missing, report, promotion)
    result = _judge_and_register(opened, tables, as_of, learned, report, promotion)
    if result.exit_code == 0 or not promotion.promote or at_work(opened) == "learned":
        return result
    # refused, and no model that learned is at work: a simple baseline is better than nothing, and
    # one of today better than one of some time ago
    stands_in = train_stand_in(opened, tables, as_of, HORIZONS, report, promotion)
    return Result(
        {**result.data, "fallback": stands_in.data},
        [*result.lines, *stands_in.lines],
        result.exit_code,
    )


def _judge_and_register(
    opened: Workspace,
    tables: Snapshot,
    as_of: datetime,
    learned_all: Learned,
    report: Timed,
    promotion: Promotion,
) -> Result:
    settings, view, read = opened.settings, learned_all.view, learned_all.read
    model, twin, learned, horizons = (
        learned_all.model,
        learned_all.twin,
        learned_all.rows,
        learned_all.horizons,
    )
    for alarm in model.alarms:
        say(f"look at this before the model is used: {alarm}")
    report("evaluating")
    at = learned_all.judged.index
    features = learned.features.loc[at].reset_index(drop=True)
    judged = learned_all.judged.reset_index(drop=True)
    predictions = twin.predict(features, choices=False, num_threads=2)
    model = replace(
        model, notes={**model.notes, "tickets_judged": _tickets_judged(judged, predictions)}
    )
    twin_as_of: datetime = judged["as_of"].min().to_pydatetime()
    known = known_by(learned, twin_as_of, read.labels, HORIZONS, settings)
    beside = judged_baselines(
        read.features,
        _fewer(known),
        features,
        horizons,
        BASELINES,
        complaint=settings.complaint,
        seed=settings.risk.seed,
    )
    middle = horizons[len(horizons) // 2]
    before: dict[int, Floats] = {}
    earlier = champion_twin(opened.state_dir, KIND, twin_as_of)
    if earlier is not None:
        before = said_before(earlier, judged, tables, horizons)
    y = judged[f"label_{middle}d"].to_numpy(np.float64)
    groups = judged["customer_id"].to_numpy()
    decision = gate(
        predictions[f"risk_{middle}d"].to_numpy(),
        before.get(middle),
        Evaluation(y, groups=groups, seed=settings.risk.seed, resamples=RESAMPLES),
        floor=Floor(
            {h: judged[f"label_{h}d"].to_numpy(np.float64) for h in horizons},
            {h: predictions[f"risk_{h}d"].to_numpy() for h in horizons},
            {name: {h: beside[f"{name}_{h}d"] for h in horizons} for name in BASELINES},
            groups=groups,
            seed=settings.risk.seed,
            resamples=resamples(len(judged)),
        ),
    )
    metrics, plots, rates = measured(
        judged, predictions, beside, BASELINES, horizons, settings.outreach.capacity_per_day
    )
    decision = joined(
        decision,
        {
            f"{h} days": Horizon(
                predictions[f"risk_{h}d"].to_numpy(),
                before.get(h),
                Evaluation(
                    judged[f"label_{h}d"].to_numpy(np.float64),
                    groups=groups,
                    seed=settings.risk.seed,
                    resamples=resamples(len(judged)),
                ),
                _interval(metrics, f"calibration_slope_{h}d"),
                _interval(metrics, f"observed_over_predicted_{h}d"),
            )
            for h in horizons
            if h != middle
        },
        kept_back_by(opened.state_dir, KIND, as_of, tables, model.encoder.columns, promotion),
        findings=faults(
            opened, model, features, y, predictions, before, groups, middle, promotion, tables
        ),
    )
    risk, rule = predictions[f"risk_{middle}d"].to_numpy(), beside[f"rule_{middle}d"]
    tables_of = {
        f"segments_{middle}d": segments(features, y, risk),
        f"ablation_{middle}d": ablation(twin, features, y, middle, num_threads=2),
        f"decay_{middle}d": decay(judged["as_of"], y, risk, pd.Timestamp(twin_as_of)),
        f"importances_{middle}d": importances(model, features, middle, settings.risk.seed),
    }
    example = of_nobody(features[OfFeatures(model).inputs])
    aged = tables_of[f"decay_{middle}d"]
    if len(aged):
        of_ages = decay_plot(aged, base_rate=y.mean(), title=f"{middle} days")
        plots[f"decay_{middle}d"] = png(of_ages)
    judged_on = (
        f"judged at {judged['as_of'].nunique()} moments from {twin_as_of:%Y-%m-%d} on "
        f"{len(judged)} customers x moments, {y.mean():.2%} of which complained within "
        f"{middle} days"
    )
    of_repeats, repeat_lines = repeats_in_words(model.repeat)
    candidate = Candidate(
        kind=KIND,
        model=model,
        twin=twin,
        as_of=as_of,
        twin_as_of=twin_as_of,
        decision=decision,
        params={
            "model": ", ".join(dict.fromkeys(part.kind for part in model.parts)),
            "horizons": horizons,
            "as_ofs": learned.features["as_of"].nunique(),
            "as_of_step_days": settings.risk.as_of_step_days,
            "rows": len(learned.features),
            "features": len(view.names),
            "gap_days": settings.risk.gap_days,
            "active_within_days": settings.risk.active_within_days,
            "seed": settings.risk.seed,
            "repeat_contact": model.repeat.kind if model.repeat else None,
            "label_set": label_set(settings.complaint, read.labeller),
            "judged_from": judged["as_of"].min(),
            "judged_to": judged["as_of"].max(),
            **flat("risk", settings.risk),
            **flat("learner", learned_all.learner),
            **(learned_all.searched.params() if learned_all.searched else {}),
        },
        metrics=metrics | of_repeats | {"training_seconds": report.seconds},
        base_rates=rates,
        data_fingerprint=tables.fingerprint,
        feature_fingerprint=view.fingerprint,
        example=example,
        predictions=model.predict(example),
        rows=rows_of(tables),
        children=(
            twin_run(twin_as_of, {"rows": len(known.features)}, flat_numbers(metrics)),
            *trials(learned_all.searched),
        ),
        plots=plots,
        tables={
            "features": pd.DataFrame(view.cards()).astype(str),
            **tables_of,
        },
        pages={
            "report": page(
                Report(
                    f"Risk of complaints, as of {as_of:%Y-%m-%d %H:%M}",
                    one_line(y, risk, middle),
                    [judged_on, *(line.strip() for line in repeat_lines), *decision.reasons],
                    horizons,
                    BASELINES,
                    metrics,
                    rates,
                    plots,
                    tables_of,
                    warning="; ".join(model.alarms) or None,
                )
            )
        },
        summary=(
            *_of_search(learned_all.searched),
            f"  {judged_on}",
            *repeat_lines,
            f"  {one_line(y, risk, middle)}; chosen by the simple rule {_held(y, rule):.0f} %, at "
            f"random {100 * CALLED:.0f} %",
        ),
    )
    return register(opened, candidate, report, promotion)


def _interval(metrics: Mapping[str, float | Interval], name: str) -> Interval | None:
    """The interval of a figure; None where there are too few complaints for one."""
    metric = metrics.get(name)
    return metric if isinstance(metric, Interval) else None


def _held(y: Floats, risk: Floats) -> float:
    """Percent of the complaints that are among the ``CALLED`` share of highest risk."""
    return 100 * recall_at(y, risk, CALLED)


def _fewer(rows: TrainingSet) -> TrainingSet:
    """As many rows as a part of the model learns from at most, spread evenly over all."""
    step = -(-len(rows.features) // RiskSettings().most_rows)
    return TrainingSet(rows.features[::step], rows.labels[::step], rows.known_as_of)


def _tickets_judged(judged: pd.DataFrame, predictions: pd.DataFrame) -> dict[str, Any]:
    """What the twin expected of all customers' contacts at each judging moment, and what came: how
    far the level can be off, for models/one_number.py. Empty without 30-day labels.
    """
    column = f"tickets_{TICKET_DAYS}d"
    if column not in judged:
        return {"said": [], "came": [], "windows": 0.0}
    both = pd.DataFrame({"said": predictions["expected_tickets_30d"], "came": judged[column]})
    sums = both.groupby(judged["as_of"]).sum(min_count=1).dropna()
    span = (sums.index.max() - sums.index.min()) / pd.Timedelta(days=TICKET_DAYS)
    windows = min(len(sums), span + 1) if len(sums) else 0.0
    return {name: sums[name].tolist() for name in ("said", "came")} | {"windows": float(windows)}


def _of_search(searched: SearchResult | None) -> list[str]:
    """What a search found, as a line; none where there was no search."""
    if searched is None:
        return []
    return [
        f"  search: {searched.trials} trials, mean log loss on later slices "
        f"{searched.log_loss:.5f}, {searched.log_loss_before:.5f} with the settings as they were"
    ]
