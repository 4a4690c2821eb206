"""GET /livez, /readyz and /metrics: whether the process lives, can answer, and how it fares."""

from __future__ import annotations

from data.errors import PresageError
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.desk import Desk
from serving.meters import exposition


def livez(desk: Desk, call: Call) -> Answer:
    """The process answers."""
    return Answer({"status": "ok"})


def readyz(desk: Desk, call: Call) -> Answer:
    """A model and scores are there to answer from; 503 until then."""
    try:
        night = desk.live.night()
    except PresageError as error:
        raise Problem(503, "not-ready", str(error), headers={"Retry-After": "10"}) from None
    return Answer(
        {
            "status": "ok",
            "as_of": night.published.about["as_of"] + "Z",
            "model_version": night.predictor.model_version,
        }
    )


def metrics(desk: Desk, call: Call) -> Answer:
    """Counts and durations of requests, and the age of what is published, for Prometheus."""
    content, media_type = exposition(desk)
    return Answer(content, media_type=media_type)
