"""Every call of the API, once: the routes from which matching, checks and OpenAPI are made.

>>> sorted({route.scope for route in CALLS if route.scope})
['customers', 'events', 'forecasts', 'outreach', 'plan', 'score']
"""

from __future__ import annotations

from serving.api.handlers import (
    cases,
    customers,
    events,
    health,
    hooks,
    jobs,
    monitoring,
    outreach,
    overrides,
    planning,
    plans,
    predictions,
    rosters,
)
from serving.api.hooks import signed_by
from serving.api.route import Handler, Parameter, Route
from serving.api.rows import posted_rows
from serving.api.schemas import (
    Accepted,
    Case,
    Cases,
    Consent,
    ConsentState,
    CustomerView,
    Delivered,
    Health,
    OutcomeRecorded,
    OutcomeReport,
    OutreachPage,
    PredictionRequest,
    Predictions,
    Ranking,
    Rows,
    StepReport,
)
from serving.api.schemas_forecast import (
    AccuracyPage,
    ActualsPage,
    Explained,
    ForecastPage,
    GapPage,
    RosterPage,
    StaffingPage,
)
from serving.api.schemas_jobs import Job, JobRequest, JobRow, Jobs
from serving.api.schemas_planning import (
    AllRows,
    Because,
    NewOverride,
    NewScenario,
    OverrideKept,
    OverridePreview,
    Overrides,
    Planning,
    PlanVersions,
    ScenarioKept,
    Scenarios,
    WhatIf,
    WhatIfAnswer,
)
from serving.jobs.ids import CSV, LINES, PARQUET
from serving.jobs.ids import FORMATS as SENT_AS
from serving.staffing.exports import MEDIA

# fmt: off

FROM = Parameter("from", "only rows at or after this time (UTC)", format="date-time")
TO = Parameter("to", "only rows before this time (UTC)", format="date-time")
AFTER = Parameter("after", "the cursor `next` of the page before")
LIMIT = Parameter("limit", "rows a page", kind="integer")
CUSTOMER = Parameter("id", "the customer's id", place="path", example="a")
ORDER = Parameter("order", "by risk, or by value: the risk times what they are worth a year",
                  choices=("risk", "value"))
HORIZON = Parameter("horizon", "days of the risk that they are ordered by; default: the middle one",
                    kind="integer")
SEGMENT = Parameter("segment", "only customers of this segment")
LIKELY_TOPIC = Parameter("topic", "only those whose likeliest topic is this one")
LEAST = Parameter("min_probability", "only those whose risk is at least this", kind="number")
SERIES = Parameter("unique_id", "one series, such as total or channel=email")
TEXT = {"type": "string"}

PAGE_PROBLEMS = (400, 404, 406, 409)
SPAN = (FROM, TO, AFTER, LIMIT)
ISSUED_AT = Parameter("issued_at", "the forecast in force at this time", format="date-time")
CHANNEL = Parameter("channel", "one channel")
TOPIC = Parameter("topic", "one topic")
KPI = Parameter("kpi", "one key figure, such as csat")
AREA = Parameter("area", "sources, inputs, predictions, forecasts or service")
ONE_SERIES = Parameter("unique_id", "the series", required=True)
STEP = Parameter("ds", "the step's start", format="date-time", required=True)
SCENARIO = Parameter("id", "the scenario's id", place="path")
OVERRIDE = Parameter("id", "the override's override_id", place="path")
VERSION = Parameter("id", "the version's number", place="path")
AGENT = Parameter("agent_id", "the shifts of one agent")
FORMAT = Parameter("format", "as what; default: as Accept says, else json", choices=rosters.FORMATS)
LAYOUT = Parameter("layout", "xlsx (default), csv, parquet or calabrio")
ACTION = Parameter("id", "the action's outreach_id", place="path")
JOB = Parameter("id", "the job's job_id", place="path", example="0")
RESULT = Parameter("format", "csv, jsonl or parquet; without it, as Accept says (default jsonl)",
                   choices=("csv", "jsonl", "parquet"))
HORIZONS = Parameter("horizons", "days, such as 7,30; default: all the model has")
CASE = Parameter("id", "the case's case_id", place="path")

EVENTS = {"orders": [{"order_id": "example", "ordered_at": "2026-03-02T08:00:00Z",
                      "customer_id": "a", "amount": 20}]}
SENT = {"type": "object", "title": "SentDelivery", "description": "as the sender sends it"}


def _hook(name: str, handler: Handler, summary: str, *headers: tuple[str, str]) -> Route:
    args = tuple(Parameter(header, text, place="header", required=True) for header, text in headers)
    return Route("POST", f"/v1/hooks/{name}", handler, summary, None, Delivered, "events",
                 body=SENT, parameters=args, through=events.kept_together, signed=signed_by(name))


CHANGE = {"unique_id": "channel=email", "starts_at": "2026-03-02T00:00:00Z",
          "ends_at": "2026-03-03T00:00:00Z", "factor": 1.2, "reason": "campaign in the app"}

CALLS = (
    Route("POST", "/v1/predictions", predictions.predict, "Complaint risk of 1 to 1000 customers",
          "score", Predictions, "risk", body=PredictionRequest, quick=predictions.remembered,
          tagged=True, example={"customer_ids": ["a", "nobody"]}, about=predictions.asked_about),
    Route("GET", "/v1/customers", customers.rank_customers,
          "Customers as scored at night, the riskiest first", "score", Ranking, "risk",
          parameters=(ORDER, HORIZON, SEGMENT, LIKELY_TOPIC, LEAST, AFTER, LIMIT),
          problems=(400, 404, 409), tagged=True),
    Route("POST", "/v1/jobs", jobs.begin_job,
          "Begin a bulk job: the risk of up to a million customers", "score", Job, "jobs",
          body=JobRequest, parameters=(HORIZONS,), takes=tuple(SENT_AS), status=202, effect=True,
          location="/v1/jobs/{job_id}", problems=(409,),
          example={"customer_ids": ["a", "nobody"]}),
    Route("GET", "/v1/jobs", jobs.list_jobs, "The key's bulk jobs, the newest first", "score",
          Jobs, "jobs"),
    Route("GET", "/v1/jobs/{id}", jobs.see_job, "How far a bulk job is", "score", Job, "jobs",
          parameters=(JOB,), problems=(404,)),
    Route("GET", "/v1/jobs/{id}/result", jobs.see_result,
          "The result of a bulk job: a row a row that was sent, in order; this is a line"
          " of JSON",
          "score", JobRow, "jobs", parameters=(JOB, RESULT), media=LINES, files=(CSV, PARQUET),
          by_accept=True, problems=(404, 409)),
    Route("DELETE", "/v1/jobs/{id}", jobs.delete_job, "Cancel a bulk job, and remove its result",
          "score", None, "jobs", parameters=(JOB,), status=204, problems=(404,)),
    Route("GET", "/v1/customers/{id}", customers.see_customer, "Everything known of a customer",
          "customers", CustomerView, "risk", parameters=(CUSTOMER,), problems=(404,),
          about=customers.this_customer),
    Route("POST", "/v1/events", events.post_events, "Rows of the contract's tables, all or none",
          "events", Accepted, "events", body=posted_rows(), effect=True, example=EVENTS,
          through=events.kept_together),
    _hook("zendesk", hooks.take_zendesk, "A webhook of Zendesk: a ticket, or an end user",
          ("X-Zendesk-Webhook-Signature", "base64 of HMAC-SHA256 over timestamp and body"),
          ("X-Zendesk-Webhook-Signature-Timestamp", "when it was signed")),
    _hook("shopify", hooks.take_shopify, "A webhook of Shopify: an order, or a customer",
          ("X-Shopify-Hmac-Sha256", "base64 of HMAC-SHA256 over the body"),
          ("X-Shopify-Topic", "such as orders/create")),
    _hook("segment", hooks.take_segment, "A webhook of Segment: a call of its API",
          ("X-Signature", "hexadecimal HMAC-SHA1 over the body")),
    Route("GET", "/v1/forecasts", planning.see_forecasts, "Contact volume with its intervals",
          "forecasts", ForecastPage, "planning",
          parameters=(SERIES, FROM, TO, ISSUED_AT, AFTER, LIMIT), csv=True,
          problems=PAGE_PROBLEMS, tagged=True),
    Route("GET", "/v1/forecasts/explain", planning.explain_forecast,
          "Where one number of the forecast comes from", "forecasts", Explained, "planning",
          parameters=(ONE_SERIES, STEP), problems=(400, 404), tagged=True),
    Route("GET", "/v1/accuracy", planning.see_accuracy,
          "How far off each series was in trials, beside two plain rules", "forecasts",
          AccuracyPage, "planning", parameters=(SERIES, AFTER, LIMIT), csv=True,
          problems=PAGE_PROBLEMS, tagged=True),
    Route("GET", "/v1/actuals", planning.see_actuals,
          "Contacts that came, up to the newest forecast", "forecasts", ActualsPage, "planning",
          parameters=(SERIES, *SPAN), csv=True, problems=PAGE_PROBLEMS, tagged=True),
    Route("GET", "/v1/staffing", planning.see_staffing, "People needed per channel and interval",
          "forecasts", StaffingPage, "planning", parameters=(CHANNEL, *SPAN), csv=True,
          problems=PAGE_PROBLEMS, tagged=True),
    Route("GET", "/v1/planning", planning.see_planning,
          "Channels, time zone and freshness of the plan", "forecasts", Planning, "planning",
          tagged=True),
    Route("GET", "/v1/kpis", monitoring.see_kpis,
          "Key figures of each week and channel, beside their targets", "forecasts", Rows,
          "planning", parameters=(CHANNEL, KPI, *SPAN), csv=True,
          problems=PAGE_PROBLEMS, tagged=True),
    Route("GET", "/v1/issues", monitoring.see_issues,
          "Emerging issues: topics asked about more than usual, their driver, what to do",
          "forecasts", Rows, "planning", parameters=(TOPIC, AFTER, LIMIT), csv=True,
          problems=PAGE_PROBLEMS, tagged=True),
    Route("GET", "/v1/monitor", monitoring.see_monitor,
          "What the monitor found: sources, inputs, predictions, forecasts, service", "forecasts",
          Rows, "planning", parameters=(AREA, AFTER, LIMIT), csv=True,
          problems=PAGE_PROBLEMS, tagged=True),
    Route("GET", "/v1/staffing/days", planning.see_staffing_days,
          "The plan by local day and channel: promised, expected, at risk", "forecasts", Rows,
          "planning", parameters=(CHANNEL, *SPAN), csv=True, problems=PAGE_PROBLEMS, tagged=True),
    Route("GET", "/v1/staffing/range", plans.see_range,
          "People that keep each promise in 50, 80 and 90 % of scenarios", "forecasts", AllRows,
          "planning", parameters=(CHANNEL, FROM, TO), problems=(400, 422), plans=True),
    Route("GET", "/v1/staffing/file", planning.export_plan,
          "The plan as a file: xlsx, csv, parquet or calabrio", "forecasts", TEXT, "planning",
          parameters=(LAYOUT, CHANNEL, FROM, TO), media="application/octet-stream",
          files=tuple(dict.fromkeys(MEDIA.values())), problems=(400, 404, 406)),
    Route("GET", "/v1/staffing/roster", rosters.see_roster,
          "The published roster: who works when", "forecasts", RosterPage, "planning",
          parameters=(AGENT, FORMAT, *SPAN), csv=True, calendar=True,
          files=tuple(MEDIA[layout] for layout in ("xlsx", "parquet")), problems=PAGE_PROBLEMS,
          tagged=True),
    Route("GET", "/v1/staffing/gap", rosters.see_gap,
          "People needed and rostered, per channel and interval", "forecasts", GapPage, "planning",
          parameters=(CHANNEL, *SPAN), csv=True, problems=PAGE_PROBLEMS, tagged=True),
    Route("GET", "/v1/accuracy/days", planning.see_past_days,
          "How the forecast did on past days, beside the same day a week before", "forecasts",
          AllRows, "planning", parameters=(ONE_SERIES,), problems=(400, 404)),
    Route("POST", "/v1/what-if", plans.ask_what_if,
          "The plan under changed assumptions beside the one in force", "forecasts", WhatIfAnswer,
          "planning", body=WhatIf, problems=(422,), plans=True),
    Route("POST", "/v1/overrides", overrides.add_override,
          "A planner's change, with author and reason", "plan", OverrideKept, "planning",
          body=NewOverride, effect=True, problems=(422,), example=CHANGE, plans=True),
    Route("POST", "/v1/overrides/preview", overrides.preview_override,
          "What a change would do to contacts and people; nothing is kept", "forecasts",
          OverridePreview, "planning", body=NewOverride, problems=(422,), plans=True),
    Route("POST", "/v1/overrides/{id}/withdraw", overrides.withdraw,
          "End a change now; it stays on record", "plan", OverrideKept, "planning",
          parameters=(OVERRIDE,), effect=True, problems=(404, 409)),
    Route("GET", "/v1/overrides", overrides.see_overrides,
          "All overrides, and what they were worth", "forecasts", Overrides, "planning"),
    Route("POST", "/v1/scenarios", plans.add_scenario,
          "Keep assumptions under a name, as a draft", "plan", ScenarioKept, "planning",
          body=NewScenario, effect=True, problems=(409, 422), plans=True),
    Route("GET", "/v1/scenarios", plans.see_scenarios,
          "All scenarios, each beside the plan in force", "forecasts", Scenarios, "planning",
          plans=True),
    Route("POST", "/v1/scenarios/{id}/publish", plans.publish_plan, "Make a scenario the plan",
          "plan", PlanVersions, "planning", parameters=(SCENARIO,), effect=True,
          problems=(404, 409, 422), plans=True),
    Route("GET", "/v1/plans", plans.see_versions, "Versions of the plan", "forecasts",
          PlanVersions, "planning"),
    Route("POST", "/v1/plans/{id}/restore", plans.restore_plan,
          "Roll back to a version of the plan", "plan", PlanVersions, "planning", body=Because,
          parameters=(VERSION,), effect=True, problems=(404, 409)),
    Route("POST", "/v1/plans/lock", plans.lock_plan, "Hold the plan as it stands", "plan",
          PlanVersions, "planning", body=Because, effect=True, problems=(409,)),
    Route("POST", "/v1/plans/unlock", plans.unlock_plan, "Let the newest plan be in force again",
          "plan", PlanVersions, "planning", body=Because, effect=True, problems=(409,)),
    Route("GET", "/v1/outreach", outreach.list_outreach,
          "Actions that may be taken now, in the order in which they were first handed out",
          "outreach", OutreachPage, "outreach", parameters=(AFTER, LIMIT), problems=(400,),
          tagged=True),
    Route("POST", "/v1/outreach/{id}/outcome", outreach.report_outcome,
          "What became of an action", "outreach", OutcomeRecorded, "outreach",
          body=OutcomeReport, parameters=(ACTION,), effect=True, problems=(404,),
          example={"outcome": "sent", "at": "2026-03-02T09:00:00Z"}),
    Route("GET", "/v1/cases", cases.list_cases, "Cases of negative feedback, the oldest first",
          "outreach", Cases, "outreach"),
    Route("POST", "/v1/cases/{id}/steps", cases.report_step, "A step of a case was done",
          "outreach", Case, "outreach", body=StepReport, parameters=(CASE,), effect=True,
          problems=(404, 409),
          example={"step": "acknowledge", "at": "2026-03-02T09:00:00Z", "by": "Kari"}),
    Route("PUT", "/v1/customers/{id}/consent", outreach.change_consent,
          "Opt a customer out or in", "outreach", ConsentState, "outreach", body=Consent,
          parameters=(CUSTOMER,), problems=(404,), example={"email_consent": True},
          about=customers.this_customer),
    Route("GET", "/livez", health.livez, "The process lives", None, Health, "health",
          instant=True),
    Route("GET", "/readyz", health.readyz, "There is something to answer from", None, Health,
          "health", problems=(503,)),
    Route("GET", "/metrics", health.metrics, "Counts and durations for Prometheus", None, TEXT,
          "health", media="text/plain"),
)
# fmt: on
"""In the order of the contract."""
