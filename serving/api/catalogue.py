"""Every kind of problem that the API answers, once: what it means and what to do. The ``type`` of a
problem is the address of its page.

>>> KINDS["rate"].status, KINDS["rate"].again
(429, 'after Retry-After seconds')
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from serving.api.problem import TITLES

CHANGED = "after you changed the request"
LATER = "after Retry-After seconds"
KEY = "with another key"


class Kind(NamedTuple):
    """A kind of problem: its status, what it means, and when to try again."""

    status: int
    means: str
    again: str = CHANGED


KINDS = {
    "accept": Kind(406, "The Accept header names no format that this call answers."),
    "bad-key": Kind(401, "The key is unknown, has expired, or was revoked.", KEY),
    "body": Kind(422, "A value of the body is missing, of another type, or out of bounds; errors "
                 "lists each place."),
    "busy": Kind(503, "So many requests are being answered that this one could not be in time.",
                 LATER),
    "conflict": Kind(409, "What is there already contradicts the request."),
    "content-type": Kind(415, "Bodies are application/json; a bulk job may be CSV, JSON lines or "
                         "Parquet too."),
    "cursor": Kind(400, "The cursor is none (400), or belongs to a table that was replaced by a "
                   "newer one since (409).", "without `after`: start at the first page"),
    "data": Kind(422, "The tables hold something that the answer cannot be made from."),
    "erased": Kind(404, "That customer was erased: nothing is held of them.", "never"),
    "framing": Kind(400, "Both Content-Length and Transfer-Encoding: the body is ambiguous."),
    "hook-body": Kind(422, "A webhook's body lacks the record that its topic promises, or the "
                      "record breaks the contract; nothing of it was kept."),
    "hook-off": Kind(404, "No secret of this sender is kept, so nothing of it can be believed; "
                     "`presage hooks DIR set SENDER` keeps one."),
    "hook-signature": Kind(401, "The signature of the webhook is missing, or is not made by the "
                           "sender's secret over this body.", "signed by the secret that is kept"),
    "hook-stale": Kind(401, "The webhook was signed more than 5 minutes from now: somebody may be "
                       "playing it again.", "signed anew"),
    "hook-topic": Kind(422, "The webhook is of a topic that is not read here; detail names those "
                       "that are.", "never: end the sender's subscription to it"),
    "horizons": Kind(422, "The model at work has no such horizon; detail names those it has."),
    "idempotency-key": Kind(422, "The Idempotency-Key came with another request before (422), or "
                            "is too long (400).", "with a new Idempotency-Key"),
    "job-failed": Kind(409, "The job could not be answered to its end; detail says why.",
                       "send the job again"),
    "job-rows": Kind(422, "No rows of customers can be read from what was sent as a job; detail "
                     "says where and why."),
    "job-running": Kind(409, "The job's result is not there yet.", LATER),
    "jobs-kept": Kind(409, "The key has as many jobs as are kept for one.",
                      "after you deleted some whose results you have"),
    "jobs-waiting": Kind(429, "The key has as many jobs waiting or running as it may.", LATER),
    "json": Kind(400, "The body is not JSON, or nested too deep."),
    "method": Kind(405, "The path is there, but not with this method; Allow names its methods."),
    "no-key": Kind(401, "The request has no `Authorization: Bearer KEY`.", KEY),
    "no-roster": Kind(404, "No roster is published: `presage staff DIR --shifts` makes one of the "
                      "agents table.", "after a roster was made"),
    "no-such-agent-id": Kind(404, "The roster has no such agent."),
    "no-such-case": Kind(404, "There is no such case."),
    "no-such-channel": Kind(404, "The plan has no such channel."),
    "no-such-customer": Kind(404, "Nobody of that id is known; post them to /v1/events first."),
    "no-such-job": Kind(404, "The key has no such job: it was deleted, or was done long ago."),
    "no-such-kpi": Kind(404, "There is no such key figure."),
    "no-such-area": Kind(404, "The monitor watches no such area."),
    "no-such-override": Kind(404, "There is no change of that id."),
    "no-such-scenario": Kind(404, "There is no scenario of that id."),
    "no-such-version": Kind(404, "There is no such version of the plan."),
    "no-such-number": Kind(404, "The forecast has no such series, or no such step."),
    "no-such-outreach": Kind(404, "No action of that id was decided."),
    "no-such-path": Kind(404, "There is nothing here; /openapi.json lists every call."),
    "no-such-segment": Kind(404, "Nobody who was scored is of that segment."),
    "no-such-topic": Kind(404, "Nobody who was scored is likely to complain about that topic."),
    "no-such-unique-id": Kind(404, "The table has no such series."),
    "no-such-vintage": Kind(404, "No forecast had been issued by then."),
    "not-built-yet": Kind(501, "This release cannot do it yet.", "with a later release"),
    "not-ready": Kind(503, "Nothing is published yet, a file is damaged, or the store cannot be "
                      "written now.", LATER),
    "parameter": Kind(400, "A parameter of the query is unknown, missing or no value it can have."),
    "rate": Kind(429, "The key asks faster than it may; RateLimit says what is left.", LATER),
    "rows": Kind(422, "A posted row breaks the contract of its table; errors lists every place. "
                 "Nothing of the request was kept."),
    "running": Kind(409, "The request of that Idempotency-Key is still running.", LATER),
    "scope": Kind(403, "The key lacks the scope that this call needs.", KEY),
    "slow-body": Kind(408, "The body did not arrive in time.", "send it faster, or in parts"),
    "step": Kind(409, "The case's steps are done in order, each once."),
    "too-large": Kind(413, "The body is larger than a request may be.", "send it in parts"),
    "unexpected": Kind(500, "Our fault; the service's log names the request by its X-Request-Id.",
                       "yes"),
    "value": Kind(422, "A value cannot be meant as it is; detail says why."),
}  # fmt: skip


def page_of(kind: str) -> str | None:
    """The page of a kind, as HTML; None for one that there is not."""
    entry = KINDS.get(kind)
    if entry is None:
        return None
    return _page(
        f"{kind} · problem",
        f"<h1>{escape(kind)}</h1><p><strong>{entry.status} {escape(TITLES[entry.status])}</strong>"
        f"</p><p>{escape(entry.means)}</p><p>Try again: {escape(entry.again)}.</p>"
        '<p><a href="/problems">All problems</a> · <a href="/docs">The API</a></p>',
    )


def list_page() -> str:
    """The page of all kinds, as HTML."""
    rows = "".join(
        f'<tr><td><a href="/problems/{kind}">{kind}</a></td><td>{entry.status}</td>'
        f"<td>{escape(entry.means)}</td><td>{escape(entry.again)}</td></tr>"
        for kind, entry in sorted(KINDS.items())
    )
    head = "<tr><th>kind</th><th>status</th><th>means</th><th>try again</th></tr>"
    return _page("Problems", f"<h1>Problems</h1><table>{head}{rows}</table>")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>Presage · {escape(title)}</title><link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="/docs/page.css"></head><body>{body}</body></html>'
    )
