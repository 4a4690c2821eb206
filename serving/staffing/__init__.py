"""From the forecast to people: how many agents each channel needs, when, and how sure that is."""

from serving.staffing.basis import Basis, basis_stamp, open_basis, passed_plan, replan
from serving.staffing.changes import Changes, Span
from serving.staffing.check import check_plan
from serving.staffing.exports import write_plan
from serving.staffing.handling import handle_seconds_by_channel, waiting_by_channel
from serving.staffing.requirements import COLUMNS, plan

__all__ = [
    "COLUMNS",
    "Basis",
    "Changes",
    "Span",
    "basis_stamp",
    "check_plan",
    "handle_seconds_by_channel",
    "open_basis",
    "passed_plan",
    "plan",
    "replan",
    "waiting_by_channel",
    "write_plan",
]
