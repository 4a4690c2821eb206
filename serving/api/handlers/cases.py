"""Cases of negative feedback: the steps of the protocol, their owners and deadlines."""

from __future__ import annotations

from data.errors import Conflict, UsageError
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.tables import naive
from serving.desk import Desk
from serving.outreach.cases import as_told, cases_of, record_step


def list_cases(desk: Desk, call: Call) -> Answer:
    """Every case, the oldest first, each with the state of its steps now."""
    now = desk.now()
    return Answer({"items": [as_told(case, now) for case in cases_of(desk.store)]})


def report_step(desk: Desk, call: Call) -> Answer:
    """Record that a step was done; steps are done in order, each once."""
    case_id, report, now = call.parameters["id"], call.body, desk.now()
    if all(case.case_id != case_id for case in cases_of(desk.store)):
        raise Problem(404, "no-such-case", f"there is no case {case_id!r}")
    at = naive(report.at, "at")
    if at > now:
        detail = f"at is {at.isoformat()}Z, which lies ahead of the service's {now.isoformat()}Z"
        raise Problem(422, "body", detail, errors=[{"at": "$.at", "message": detail}])
    try:
        case = record_step(desk.store, case_id, report.step, at, report.by, now)
    except (UsageError, Conflict) as error:
        raise Problem(409, "step", str(error)) from None
    return Answer(as_told(case, now))
