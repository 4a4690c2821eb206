"""What stands in for a model: the shrunk rule or a logistic regression, registered like any model.

The rule where there is too little to learn from; where a model learned and was refused, the better
of the two.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd

from data.errors import DataError, NotEnoughHistory
from data.snapshot import Snapshot
from data.workspace import Workspace
from features.messages import label_set
from models.champion import champion
from models.floor import Floor, compared
from models.frame_function import OfFeatures
from models.gate import Evaluation, gate_fallback, joined
from models.metrics import Interval
from models.risk.fallback import Fallback, Kind, fall_back
from models.risk.model import RiskModel
from models.risk.page import Report, page
from models.risk.population import known_by
from models.risk.repeat import in_words as repeats_in_words
from models.risk.report import one_line
from models.training_record import of_nobody
from pipelines.console import Progress, Result, say
from pipelines.steps.promotion import Promotion, kept_back_by
from pipelines.steps.provenance import flat, rows_of
from pipelines.steps.risk_evaluation import RESAMPLES, measured, said_before
from pipelines.steps.training import Candidate, champion_twin, register
from serving.predictor import Predictor, with_view

KIND = "risk"
STAND_INS: dict[Kind, str] = {
    "logistic": "the logistic regression, the best of the simple baselines,",
    "rule": "the shrunk rule of recency and frequency",
}
"""What can stand in for a refused model, the better one first."""
CALLED: dict[Kind, str] = {
    "logistic": "a simple baseline, served until a model is worth more than it",
    "rule": "a rule, served until there is enough to learn from",
}


def train_rule_model(
    opened: Workspace,
    tables: Snapshot,
    as_of: datetime,
    horizons: tuple[int, ...],
    missing: NotEnoughHistory,
    report: Progress,
    promotion: Promotion,
) -> Result:
    """Warn of what is missing; train, judge where rows can, register, gate and promote the rule.

    Raises NotEnoughHistory where not even a rule can be had (models/risk/fallback.py).
    """
    stand_in = _fall_back(opened, tables, as_of, horizons, missing, "rule")
    return _train(opened, tables, as_of, stand_in, report, promotion)


def train_stand_in(
    opened: Workspace,
    tables: Snapshot,
    as_of: datetime,
    horizons: tuple[int, ...],
    report: Progress,
    promotion: Promotion,
) -> Result:
    """The same where a model was refused: the logistic regression if it clears the rule's floor
    on the judged rows, else the rule."""
    for kind, called in STAND_INS.items():
        why = (
            "the model that learned was refused by the gate and no other that learned is at work: "
            f"{called} stands in until one passes"
        )
        refused = NotEnoughHistory(why)
        try:
            stand_in = _fall_back(opened, tables, as_of, horizons, refused, kind, why)
            if kind == "logistic" and not _beats_rule(stand_in, horizons[len(horizons) // 2]):
                continue
        except NotEnoughHistory:
            if kind == "rule":
                raise
            continue
        return _train(opened, tables, as_of, stand_in, report, promotion)
    raise AssertionError("the rule returns or raises")


def _fall_back(
    opened: Workspace,
    tables: Snapshot,
    as_of: datetime,
    horizons: tuple[int, ...],
    missing: NotEnoughHistory,
    kind: Kind,
    why: str | None = None,
) -> Fallback:
    settings = opened.settings
    return fall_back(
        tables,
        as_of,
        horizons,
        settings,
        missing,
        texts=settings.risk.texts,
        by_text=settings.complaint.by_text,
        why=why,
        kind=kind,
    )


def _beats_rule(stand_in: Fallback, horizon: int) -> bool:
    """Whether its twin is worth more than the rule's on the rows that judge both."""
    twin, judged = _twin(stand_in, horizon)
    rule, _ = _twin(replace(stand_in, kind="rule"), horizon)
    if twin is None or rule is None or judged is None:
        return False
    features = stand_in.rows.features.loc[judged.index].reset_index(drop=True)
    known = [h for h in stand_in.horizons if judged[f"label_{h}d"].notna().all()]
    predictions, beside = (m.predict(features, choices=False) for m in (twin, rule))
    floor = Floor(
        {h: judged[f"label_{h}d"] for h in known},
        {h: predictions[f"risk_{h}d"] for h in known},
        {"the rule": {h: beside[f"risk_{h}d"] for h in known}},
        groups=judged["customer_id"].to_numpy(),
        resamples=RESAMPLES,
    )
    try:
        return all(against.cleared for against in compared(floor))
    except DataError:  # nobody complained, or too few to resample
        return False


def _train(
    opened: Workspace,
    tables: Snapshot,
    as_of: datetime,
    stand_in: Fallback,
    report: Progress,
    promotion: Promotion,
) -> Result:
    """Train, judge where rows can, register, gate and promote."""
    settings, horizons = opened.settings, stand_in.horizons
    model = with_view(stand_in.learn(), stand_in.view, stand_in.read.model)
    say(f"WARNING: {stand_in.why}")
    middle = horizons[len(horizons) // 2]
    twin, judged = _twin(stand_in, middle)
    twin_as_of = as_of if judged is None else judged["as_of"].min().to_pydatetime()
    twin = model if twin is None else with_view(twin, stand_in.view, stand_in.read.model)

    report("evaluating")
    at = stand_in.rows.features.index if judged is None else judged.index
    features = stand_in.rows.features.loc[at].reset_index(drop=True)
    predictions = twin.predict(features, choices=False)
    before, evaluation, lines = None, None, ["  there is no row to judge it by yet"]
    metrics: dict[str, float | Interval] = {}
    plots: dict[str, bytes] = {}
    rates: dict[str, float] = {}
    if judged is not None:
        judged = judged.reset_index(drop=True)
        y = judged[f"label_{middle}d"].to_numpy(np.float64)
        groups = judged["customer_id"].to_numpy()
        evaluation = Evaluation(y, groups=groups, seed=settings.risk.seed, resamples=RESAMPLES)
        earlier = champion_twin(opened.state_dir, KIND, twin_as_of)
        if earlier is not None:
            before = said_before(earlier, judged, tables, [middle]).get(middle)
        metrics, plots, rates = measured(
            judged, predictions, {}, (), horizons, settings.outreach.capacity_per_day
        )
        lines = [
            f"  judged from {twin_as_of:%Y-%m-%d} on {len(judged)} customers x moments, "
            f"{y.mean():.2%} of which complained within {middle} days"
        ]
        if y.any():
            lines.append(f"  {one_line(y, predictions[f'risk_{middle}d'].to_numpy(), middle)}")
    decision = gate_fallback(
        predictions[f"risk_{middle}d"].to_numpy(),
        before,
        evaluation,
        at_work=at_work(opened),
        called=CALLED[stand_in.kind],
    )
    decision = joined(
        decision,
        {},
        kept_back_by(opened.state_dir, KIND, as_of, tables, (), promotion),
    )
    of_repeats, repeat_lines = repeats_in_words(model.repeat)
    example = of_nobody(features[OfFeatures(model).inputs])
    candidate = Candidate(
        kind=KIND,
        model=model,
        twin=twin,
        as_of=as_of,
        twin_as_of=twin_as_of,
        decision=decision,
        params={
            "model": stand_in.called,
            "stands_in_because": stand_in.why,
            "horizons": horizons,
            "as_ofs": stand_in.rows.features["as_of"].nunique(),
            "rows": len(stand_in.rows.features),
            "features": len(stand_in.view.names),
            "gap_days": settings.risk.gap_days,
            "active_within_days": settings.risk.active_within_days,
            "repeat_contact": model.repeat.kind if model.repeat else None,
            "label_set": label_set(settings.complaint, stand_in.read.labeller),
            **flat("risk", settings.risk),
        },
        metrics=metrics | of_repeats,
        base_rates=rates,
        data_fingerprint=tables.fingerprint,
        feature_fingerprint=stand_in.view.fingerprint,
        example=example,
        predictions=model.predict(example),
        rows=rows_of(tables),
        plots=plots,
        tables={"features": pd.DataFrame(stand_in.view.cards()).astype(str)},
        pages={
            "report": page(
                Report(
                    f"Risk of complaints, as of {as_of:%Y-%m-%d %H:%M}",
                    lines[-1].strip(),
                    [*lines[:-1], *repeat_lines, *decision.reasons],
                    horizons,
                    (),
                    metrics,
                    rates,
                    plots,
                    warning=stand_in.why,
                )
            )
        },
        summary=(f"  {stand_in.why}", *repeat_lines, *lines),
    )
    return register(opened, candidate, report, promotion)


def _twin(stand_in: Fallback, horizon: int) -> tuple[RiskModel | None, pd.DataFrame | None]:
    """A rule of what was known earlier, and the labels since that judge it; None if none can."""
    labels = stand_in.rows.labels
    complete = labels[f"label_{horizon}d"].notna()
    times = sorted(labels.loc[complete, "as_of"].unique())
    for count in (4, 1):
        if count > len(times):
            continue
        since = pd.Timestamp(times[-count]).to_pydatetime()
        try:
            rows = known_by(
                stand_in.rows, since, stand_in.read.labels, stand_in.lengths, stand_in.case
            )
            return stand_in.learn(rows), labels[labels["as_of"].isin(times[-count:]) & complete]
        except NotEnoughHistory:
            continue
    return None, None


def at_work(opened: Workspace) -> Literal["nothing", "rule", "learned"]:
    """What is at work: nothing, a stand-in (of either kind), or a model that has learned more."""
    champion_now = champion(opened.state_dir, KIND)
    if champion_now is None:
        return "nothing"
    because = Predictor.of_version(champion_now).model.rule_because
    return "learned" if because is None else "rule"
