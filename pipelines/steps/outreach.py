"""Outreach: the plan from the published scores, and its decisions written once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.clock import SYSTEM
from data.errors import Conflict, DamagedFile
from data.store import (
    Store,
    decisions_of,
    expire_decisions,
    newest_run,
    open_store,
    salt,
    selected_decisions,
)
from models.uplift import NO_PROPENSITY, Effect, Trial
from pipelines.console import Result, say, table
from pipelines.exclusive import still_ours
from pipelines.output import spreadsheet_safe, write_frame
from pipelines.run import Run
from pipelines.steps.decision_records import as_planned, write_log
from pipelines.steps.outreach_page import (
    HEADER,
    MOST_LINES,
    article_lines,
    case_lines,
    first_rows,
    worth_lines,
    write_plot,
)
from serving.delivery.sender import limits_of
from serving.outreach.actions import ACTIONS
from serving.outreach.agent_hours import hours_left
from serving.outreach.candidates import RUN, candidates, named_in_vain, run_name, spent_on
from serving.outreach.cases import cases_of, open_cases
from serving.outreach.deflection import articles_to_write
from serving.outreach.draws import draws_of
from serving.outreach.facts import messages
from serving.outreach.kept_inputs import keep_inputs
from serving.outreach.measured import (
    effects_of,
    effects_on,
    gains_now,
    induced_by,
    learned_uplift,
    past_trial,
)
from serving.outreach.pace import policy_digest
from serving.outreach.policy import Effects, Inputs, best_values, plan_of
from serving.outreach.protocol import negative_feedback
from serving.outreach.quiet import local_day
from serving.outreach.stops import actions_called, stopped_by
from serving.outreach.verdicts import (
    Verdict,
    breakdowns,
    expected_line,
    note_stops,
    verdict_lines,
    verdicts,
)
from serving.outreach.worth import Prices, prices
from serving.published import newest

ARMS = {
    "treat": "are contacted",
    "holdout": "are left alone at random, to measure what a contact changes",
    "capacity": "are eligible and not chosen",
    "ineligible": "are not eligible",
}
CASE_DAYS = 3
"""Feedback older than this opens no case: its deadlines are long past."""


@dataclass(frozen=True)
class _Grounds:
    """What a plan stands on: everybody considered, what was measured of them, that in words, and
    what may be claimed of each action."""

    people: pd.DataFrame
    effects: Effects
    learned: list[str]
    verdicts: list[Verdict]


@dataclass(frozen=True)
class _Decided:
    """A plan, and all that it was made of."""

    frame: pd.DataFrame
    inputs: Inputs


def decide(
    run: Run,
    scores: pd.DataFrame,
    model_version: str,
    commit: bool,
    out: Path | None,
    plot: Path | None = None,
) -> Result:
    """Plan outreach from ``scores`` as of the run's moment; with ``commit`` record and queue it.

    Decisions of a moment are written once: committing it again shows the ones that were written.
    What earlier runs of the same local day selected is gone from its capacity. Those of a past
    moment are recorded only in a run that publishes, and never once newer ones are; Conflict
    otherwise.
    """
    opened, tables, as_of, report = run.workspace, run.snapshot, run.as_of, run.report
    settings = opened.settings
    check_commit(run, commit)
    notes: list[str] = []
    with open_store(opened) as store:
        run_id = run_name(as_of)
        written = decisions_of(store, run_id=run_id)
        report("measuring what past contacts changed")
        past = past_trial(tables, store, settings, as_of)
        effects = effects_of(past)
        money = prices(tables, settings, as_of)
        cases = negative_feedback(tables, settings, as_of, CASE_DAYS)
        grounds = None
        if written:
            frame = as_planned(written)
            say(f"the decisions as of {as_of} were written before; these are they")
            # whether effects differ is not asked again
            known = [] if past is None else past.actions
            claims = verdict_lines(verdicts(past, as_of, known), None)
            if plot is not None:
                grounds = _grounds(run, store, scores, effects, past, money)
        else:
            if commit:
                check_newest(store, as_of)
                expire_decisions(store, limits_of(settings.delivery), SYSTEM.now())
            report(f"deciding about {len(scores)} customers")
            grounds = _grounds(run, store, scores, effects, past, money)
            decided = _decide(run, store, grounds, money, commit)
            frame = decided.frame
            claims = verdict_lines(grounds.verdicts, _expected(frame, as_of))
            notes = grounds.learned + _left(decided, run)
            if commit:
                report("writing the decisions")
                still_ours()
                # decisions last: a run that finds them takes all for done
                open_cases(store, cases, SYSTEM.now())
                note_stops(store, grounds.verdicts, SYSTEM.now())
                try:
                    notes += _write(run, store, run_id, decided, scores, model_version)
                except Conflict:
                    return decide(run, scores, model_version, commit, out, plot)
        known_cases = {case.case_id: case for case in cases_of(store)}
    articles = articles_to_write(tables, money, as_of)
    if out is not None:
        write_frame(spreadsheet_safe(frame) if out.suffix == ".csv" else frame, out)
    arms = frame["arm"].value_counts()
    currency = settings.company.currency
    rows = first_rows(frame, scores, currency)
    recorded = bool(commit or written)
    lines = [
        *claims,
        f"of {len(frame)} customers " + ", ".join(f"{arms.get(a, 0)} {w}" for a, w in ARMS.items()),
        *_left_out(past),
        *worth_lines(frame, currency),
        *notes,
    ]
    if plot is not None and grounds is not None:
        values = _best_values(run, grounds, money)
        write_plot(plot, values, int(arms.get("treat", 0)), currency, rows, lines)
    shown = [
        *lines,
        *(table(list(HEADER), rows) if rows else []),
        *article_lines(articles, currency),
        *case_lines(cases, known_cases, as_of, CASE_DAYS),
        "recorded and queued" if recorded else "a dry run: nothing was recorded",
        *([f"written to {out}"] if out else []),
        *([f"plotted in {plot}"] if plot else []),
    ]
    data: dict[str, Any] = {
        "as_of": as_of,
        "arms": {str(k): int(v) for k, v in arms.items()},
        "committed": recorded,
        "already_written": bool(written),
        "effects": [vars(e) for e in effects],
        "measured": breakdowns(past),
        "notes": notes,
        "articles": articles.to_dict("records"),
        "cases": [case.case_id for case in cases],
        "out": str(out) if out else None,
        "plot": str(plot) if plot else None,
    }
    return Result(data, shown)


def check_commit(run: Run, commit: bool) -> None:
    """Conflict where decisions of a past moment would be recorded without being asked for."""
    because = run.not_published_because("scores") if commit and not run.publish else None
    if because is not None:
        raise Conflict(
            f"nothing was decided: {because}, and what is recorded is also sent. Leave --as-of "
            "out, or say --publish too"
        )


def check_newest(store: Store, as_of: datetime) -> None:
    """Conflict where decisions of a later moment are recorded: what they used would not be known
    as of this one, and caps would be passed."""
    later = newest_run(store, run_name(as_of) + "!", RUN[:-1] + ".")
    if later is not None:
        raise Conflict(
            f"nothing was decided: there are decisions as of {later.removeprefix(RUN)}, and "
            f"{as_of.isoformat()} lies before them. Only the newest moment can be committed: "
            "leave --as-of out"
        )


def _grounds(
    run: Run,
    store: Store,
    scores: pd.DataFrame,
    measured: list[Effect],
    past: Trial | None,
    money: Prices,
) -> _Grounds:
    people = _people(run, store, scores, money)
    model = learned_uplift(past, run.snapshot, run.settings)
    gains = gains_now(model, run.snapshot, people, run.settings, run.as_of)
    learned = [
        f"the effect of {name} differs between customers: it would help "
        f"{(of.of_each > 0).sum()} of {len(people)}, and harm {(of.of_each < 0).sum()}"
        for name, of in gains.items()
    ]
    induced = induced_by(past, run.settings.outreach.induced_contacts)
    if induced is not None:
        learned += [
            f"one contact by {action.name} causes {caused:+.3f} contacts that are no complaints"
            for action, caused in zip(ACTIONS, induced, strict=True)
            if not np.isnan(caused)
        ]
    helping = [name for name, of in gains.items() if (of.of_each > 0).any()]
    known = verdicts(past, run.as_of, helping)
    stops = actions_called(each.measured.action for each in known if each.stops)
    earlier = stopped_by(store)
    learned += named_in_vain(people, run.snapshot, run.settings.outreach)
    learned += [
        f"{name} has stopped itself before, as the decision log says: nobody is contacted by it"
        for name in sorted(earlier - stops)
    ]
    effects = replace(
        effects_on(people, measured, run.settings, gains, induced=induced),
        stopped=np.array([action.name in stops | earlier for action in ACTIONS]),
    )
    return _Grounds(people, effects, learned, known)


def _expected(plan_of_today: pd.DataFrame, as_of: datetime) -> str | None:
    """By when exploring as today is going to tell an effect."""
    arm = plan_of_today["arm"]
    could = plan_of_today["propensity"] > 0
    alone = int(((arm == "capacity") & could).sum())
    contacted = int(((arm == "treat") & plan_of_today["explored"]).sum())
    eligible = plan_of_today.loc[arm != "ineligible", "risk"]
    return expected_line(float(eligible.mean()), contacted, alone, as_of)


def _decide(run: Run, store: Store, grounds: _Grounds, money: Prices, commit: bool) -> _Decided:
    settings, as_of = run.settings, run.as_of
    day = local_day(as_of, settings.company.time_zone)
    _tell_other_policy(run, store, day)
    spent = spent_on(store, day)
    hours = settings.outreach.agent_hours_per_day
    if hours is None:
        hours = _planned_hours(run, day, commit)
    secret = bytes.fromhex(salt(store, SYSTEM.now()))
    ids = grounds.people["customer_id"].tolist()
    inputs = Inputs(
        grounds.people,
        grounds.effects,
        draws_of(secret, ids, as_of.isoformat()),
        settings.outreach,
        as_of,
        spent,
        hours,
        money.hour,
        settings.company.time_zone,
    )
    return _Decided(plan_of(inputs), inputs)


def _people(run: Run, store: Store, scores: pd.DataFrame, money: Prices) -> pd.DataFrame:
    risks = [c for c in scores.columns if c.startswith("risk_")]
    return candidates(
        scores, run.snapshot, store, run.settings, run.as_of, prices=money, risk_column=risks[-1]
    )


def _best_values(run: Run, grounds: _Grounds, money: Prices) -> Floats:
    """What the best contact of each customer is worth."""
    settings = run.settings
    return best_values(
        grounds.people,
        settings.outreach,
        as_of=run.as_of,
        effects=grounds.effects,
        agent_hour_cost=money.hour,
        time_zone=settings.company.time_zone,
    )


def _planned_hours(run: Run, day: tuple[datetime, datetime], commit: bool) -> float | None:
    """Hours that the published plan leaves; None where there is no plan, or a dry run cannot read
    it. DamagedFile where decisions would be recorded without the limit that it sets."""
    try:
        published = newest(run.state_dir, "staffing")
    except DamagedFile as damaged:
        if commit:
            raise DamagedFile(
                f"nothing was decided, for the hours that agents have are not known: {damaged}, "
                "or set [outreach] agent_hours_per_day"
            ) from None
        say(f"{damaged}; agents' hours are not counted")
        return None
    return None if published is None else hours_left(published.frame, run.settings, *day)


def _tell_other_policy(run: Run, store: Store, day: tuple[datetime, datetime]) -> None:
    earlier = selected_decisions(store, run_name(day[0]), run_name(day[1]))
    others = {d.get("policy") for d in earlier} - {policy_digest(run.settings.outreach), None}
    if others:
        count = sum(d.get("policy") in others for d in earlier)
        say(
            f"{count} decisions of this day were made by other [outreach] settings; the day's "
            "capacity counts them too"
        )


def _write(
    run: Run, store: Store, run_id: str, decided: _Decided, scores: pd.DataFrame, version: str
) -> list[str]:
    """Log every decision and queue those to act on, with their texts; what could not be written."""
    frame = decided.frame
    topics = dict(zip(scores["customer_id"].astype(str), scores["topic"], strict=True))
    treated = frame[frame["arm"] == "treat"]
    rows = [
        {**row, "topic": topics.get(str(row["customer_id"]))}
        for row in treated[["customer_id", "action", "channel"]].to_dict("records")
    ]
    texts, missing = messages(run.snapshot, run.settings, rows, run.as_of)
    details = {
        str(row["customer_id"]): None if text is None else asdict(text)
        for row, text in zip(rows, texts, strict=True)
    }
    inputs_file = keep_inputs(run.state_dir, decided.inputs, frame)
    policy = policy_digest(run.settings.outreach)
    write_log(store, run_id, frame, version, details, policy, inputs_file)
    if not missing:
        return []
    return [
        f"{len(missing)} of {len(rows)} contacts have no text, for a variable is not known; "
        "whoever carries them out writes it:",
        *(f"  {line}" for line in missing[:MOST_LINES]),
    ]


def _left_out(past: Trial | None) -> list[str]:
    """What of the past could not be measured, and what to do about it."""
    count = 0 if past is None else past.left_out.get(NO_PROPENSITY, 0)
    if not count:
        return []
    return [
        f"{count} rows of treatments state no propensity and were not measured: state the "
        "probability with which each arm was drawn"
    ]


def _left(decided: _Decided, run: Run) -> list[str]:
    spent, policy = decided.inputs.spent, run.settings.outreach
    lines = []
    if spent.total:
        lines.append(
            f"earlier runs of this day selected {spent.total} of its {policy.capacity_per_day}"
        )
    if decided.inputs.agent_hours is not None:
        lines.append(f"agents have {decided.inputs.agent_hours:.1f} hours for outreach this day")
    return lines
