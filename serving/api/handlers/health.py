"""GET /livez, /readyz and /metrics: whether the process lives, can answer, and how it fares."""

from __future__ import annotations

from serving.api.route import Answer, Call
from serving.desk import Desk
from serving.meters import exposition


def livez(desk: Desk, call: Call) -> Answer:
    """The process answers."""
    return Answer({"status": "ok"})


def readyz(desk: Desk, call: Call) -> Answer:
    """A model and scores are there, and a customer could be scored by them; 503 until then."""
    desk.live.warm()
    night = desk.live.night()
    return Answer(
        {
            "status": "ok",
            "as_of": night.published.about["as_of"] + "Z",
            "model_version": night.predictor.model_version,
            "sources": [
                {**mark, "until": mark["until"] + "Z"}
                for mark in night.published.about.get("sources", ())
            ],
            "runs": [
                {"what": one.what, "text": one.text, "act": one.act}
                for one in desk.night_findings()
                if one.act
            ],
        }
    )


def metrics(desk: Desk, call: Call) -> Answer:
    """Counts and durations of requests, and the age of what is published, for Prometheus."""
    content, media_type = exposition(desk)
    return Answer(content, media_type=media_type)
