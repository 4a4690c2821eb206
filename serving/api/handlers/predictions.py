"""POST /v1/predictions: the risk of up to a thousand customers."""

from __future__ import annotations

from data.errors import UsageError
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.desk import Desk


def predict(desk: Desk, call: Call) -> Answer:
    """One item a customer asked for, in order; 422 for a horizon that the model does not have."""
    try:
        items = desk.live.encoded(call.body.customer_ids, call.body.horizons)
    except UsageError as error:
        errors = [{"at": "$.horizons", "message": str(error)}]
        raise Problem(422, "horizons", str(error), errors=errors) from None
    return Answer({"items": items})


def remembered(desk: Desk, call: Call) -> Answer | None:
    """The same for customers whose answers are in memory and still hold; None for others."""
    if call.body.horizons is not None:
        return None
    items = desk.live.remembered(call.body.customer_ids)
    return None if items is None else Answer({"items": items})


def asked_about(call: Call) -> list[str]:
    """Whom a request is about."""
    ids: list[str] = call.body.customer_ids
    return ids
