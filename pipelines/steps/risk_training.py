"""Training the risk model: learned from everything, judged through a twin on the newest labels."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.errors import NotEnoughHistory
from data.sign_ups import REMEDY, suspect_in
from data.snapshot import Snapshot, open_snapshot
from data.workspace import Workspace
from features.messages import label_set
from models.champion import champion
from models.figures import decay_plot
from models.gate import Evaluation, gate
from models.risk.backtest import BASELINES, judged_baselines
from models.risk.model import TICKET_DAYS
from models.risk.page import Report, page
from models.risk.population import TrainingSet, known_by
from models.risk.repeat import told as told_of_repeats
from models.risk.report import ablation, decay, one_line, segments
from models.risk.search import Found
from models.risk.settings import RiskSettings
from pipelines.console import Progress, Result, say
from pipelines.steps.risk_evaluation import RESAMPLES, measured, said_before
from pipelines.steps.risk_learning import HORIZONS, Learned, learn
from pipelines.steps.risk_rule import KIND, train_rule_model
from pipelines.steps.training import Candidate, champion_twin, cleared, register

COMPARED = (*BASELINES, "lightgbm")
"""What the report sets beside the model; the gate asks about the first ones only."""


def train_risk_model(
    workspace: Path,
    snapshot: Path,
    as_of: datetime,
    report: Progress,
    search_minutes: float | None = None,
) -> Result:
    """Train, evaluate, register, gate, promote; the shrunk rule where there is too little.

    ``search_minutes``: how long to search for better settings; None: as ``[risk]`` says.
    """
    opened = Workspace.open(workspace)
    tables = open_snapshot(snapshot)
    if not tables.has("tickets"):
        raise NotEnoughHistory("risk is learned from past complaints; there is no tickets table")
    suspect = suspect_in(tables, as_of)
    if suspect is not None:
        say(f"{suspect}. Nobody is learned from in their first day without an event; {REMEDY}")
    try:
        found = learn(opened, tables, as_of, search_minutes, report)
    except NotEnoughHistory as missing:
        return train_rule_model(opened, tables, as_of, HORIZONS, missing, report)
    result = _judge_and_register(opened, tables, as_of, found, report)
    if result.exit_code == 0 or champion(opened.state_dir, KIND) is not None:
        return result
    # refused, and nothing is at work: as with too little history, a rule is better than nothing
    why = (
        "the model that learned was refused by the gate and none is at work: the shrunk rule of "
        "recency and frequency stands in until one passes"
    )
    refused = NotEnoughHistory(why)
    rule = train_rule_model(opened, tables, as_of, HORIZONS, refused, report, why)
    return Result(
        {**result.data, "fallback": rule.data}, [*result.lines, *rule.lines], result.exit_code
    )


def _judge_and_register(
    opened: Workspace, tables: Snapshot, as_of: datetime, found: Learned, report: Progress
) -> Result:
    settings, view, read = opened.settings, found.view, found.read
    model, twin, learned, horizons = found.model, found.twin, found.rows, found.horizons
    for alarm in model.alarms:
        say(f"look at this before the model is used: {alarm}")
    report("evaluating")
    at = found.judged.index
    features = learned.features.loc[at].reset_index(drop=True)
    judged = found.judged.reset_index(drop=True)
    told = twin.predict(features, choices=False, num_threads=2)
    model = replace(model, notes={**model.notes, "tickets_judged": _tickets_judged(judged, told)})
    staging = opened.state_dir / "staging"
    bundle, twin_bundle = cleared(staging / "risk"), cleared(staging / "risk-twin")
    model.save(bundle)
    twin.save(twin_bundle)
    twin_as_of: datetime = judged["as_of"].min().to_pydatetime()
    known = known_by(learned, twin_as_of, read.labels, HORIZONS, settings)
    beside = judged_baselines(known, features, horizons, BASELINES)
    beside |= judged_baselines(_fewer(known), features, horizons, ("lightgbm",))
    middle = horizons[len(horizons) // 2]
    before = None
    earlier = champion_twin(opened.state_dir, KIND, twin_as_of)
    if earlier is not None:
        before = said_before(earlier, judged, tables, middle)
    y = judged[f"label_{middle}d"].to_numpy(np.float64)
    groups = judged["customer_id"].to_numpy()
    decision = gate(
        told[f"risk_{middle}d"].to_numpy(),
        before,
        Evaluation(
            y,
            groups=groups,
            baselines={name: beside[f"{name}_{middle}d"] for name in BASELINES},
            seed=settings.risk.seed,
            resamples=RESAMPLES,
        ),
    )
    metrics, plots, rates = measured(
        judged, told, beside, COMPARED, horizons, settings.outreach.capacity_per_day
    )
    risk = told[f"risk_{middle}d"].to_numpy()
    tables_of = {
        f"segments_{middle}d": segments(features, y, risk),
        f"ablation_{middle}d": ablation(twin, features, y, middle, num_threads=2),
        f"decay_{middle}d": decay(judged["as_of"], y, risk, pd.Timestamp(twin_as_of)),
    }
    aged = tables_of[f"decay_{middle}d"]
    if len(aged):
        plots[f"decay_{middle}d"] = decay_plot(aged, base_rate=y.mean(), title=f"{middle} days")
    judged_on = (
        f"judged at {judged['as_of'].nunique()} moments from {twin_as_of:%Y-%m-%d} on "
        f"{len(judged)} customers x moments, {y.mean():.2%} of which complained within "
        f"{middle} days"
    )
    of_repeats, repeat_lines = told_of_repeats(model.repeat)
    candidate = Candidate(
        kind=KIND,
        bundle=bundle,
        twin=twin_bundle,
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
            **(found.searched.params() if found.searched else {}),
        },
        metrics=metrics | of_repeats,
        base_rates=rates,
        data_fingerprint=tables.fingerprint,
        feature_fingerprint=view.fingerprint,
        example=features.head(5).drop(columns=["customer_id", "as_of"]),
        predictions=told[[f"risk_{h}d" for h in horizons]].head(5),
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
                    COMPARED,
                    metrics,
                    rates,
                    plots,
                    tables_of,
                    warning="; ".join(model.alarms) or None,
                )
            )
        },
        summary=(
            *_of_search(found.searched),
            f"  {judged_on}",
            *repeat_lines,
            f"  {one_line(y, risk, middle)}",
        ),
    )
    return register(opened, candidate, report)


def _fewer(rows: TrainingSet) -> TrainingSet:
    """As many rows as a part of the model learns from at most, spread evenly over all."""
    step = -(-len(rows.features) // RiskSettings().most_rows)
    return TrainingSet(rows.features[::step], rows.labels[::step], rows.known_as_of)


def _tickets_judged(judged: pd.DataFrame, told: pd.DataFrame) -> dict[str, Any]:
    """What the twin expected of all customers' contacts at each judging moment, and what came: how
    far the level can be off, for models/one_number.py. Empty without 30-day labels.
    """
    column = f"tickets_{TICKET_DAYS}d"
    if column not in judged:
        return {"said": [], "came": [], "windows": 0.0}
    both = pd.DataFrame({"said": told["expected_tickets_30d"], "came": judged[column]})
    sums = both.groupby(judged["as_of"]).sum(min_count=1).dropna()
    span = (sums.index.max() - sums.index.min()) / pd.Timedelta(days=TICKET_DAYS)
    windows = min(len(sums), span + 1) if len(sums) else 0.0
    return {name: sums[name].tolist() for name in ("said", "came")} | {"windows": float(windows)}


def _of_search(searched: Found | None) -> list[str]:
    """What a search found, as a line; none where there was no search."""
    if searched is None:
        return []
    return [
        f"  search: {searched.trials} trials, mean log loss on later slices "
        f"{searched.log_loss:.5f}, {searched.log_loss_before:.5f} with the settings as they were"
    ]
