"""Bulk jobs: begun, followed, fetched and removed, each by the key that began it."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from data.errors import UsageError
from data.store import first_time
from serving.api.exchange import decode_json
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.schemas_jobs import JobRequest
from serving.desk import Desk
from serving.items import LIFETIME, utc
from serving.jobs.ids import FORMATS as SENT_AS
from serving.jobs.ids import TooManyRows, ids_in, rows_of
from serving.jobs.job import Job, moment, put_job, read_job, read_jobs, remove_job
from serving.jobs.results import FORMATS, result_of
from serving.predictor import check_horizons

SOON_SECONDS = 2
"""When to ask again for a job that is not done."""


def begin_job(desk: Desk, call: Call) -> Answer:
    """Keep a job and answer 202; the runner answers its rows.

    Its id follows from the Idempotency-Key where there is one, so that a request whose answer was
    lost finds the job that it began. The rows are read before anything is written.
    """
    night = desk.live.night()
    api, about = desk.workspace.settings.api, night.published.about
    media = call.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    horizons: Any = _horizons_of(call)
    try:
        if media in SENT_AS:
            rows = ids_in(call.raw, SENT_AS[media], api.job_rows)
        else:
            body = decode_json(JobRequest, call.raw)
            rows = rows_of(body.customer_ids, api.job_rows)
            horizons = horizons if body.horizons is None else body.horizons
    except TooManyRows as error:
        raise Problem(413, "too-large", str(error)) from None
    except UsageError as error:
        raise Problem(422, "job-rows", str(error)) from None
    published = [int(str(n)[5:-1]) for n in night.published.frame if str(n).startswith("risk_")]
    try:
        wanted = check_horizons(published, horizons)
    except UsageError as error:
        errors = [{"at": "$.horizons", "message": str(error)}]
        raise Problem(422, "horizons", str(error), errors=errors) from None
    request = hashlib.sha256(call.raw + repr((media, wanted)).encode()).hexdigest()
    job_id = _id_of(call)
    terms = {
        "key": call.actor,
        "request": request,
        "created_at": desk.now().isoformat(),
        "horizons": wanted,
        "scores": dict(about),
    }
    home = desk.jobs.home
    with desk.jobs_lock:
        if read_job(home, job_id) is None:
            _within_limits(desk, call.actor)
        job = put_job(home, job_id, rows, terms)
    if job.request != request:
        detail = f"Idempotency-Key {call.idempotency_key!r} began another job; use a new one"
        raise Problem(422, "idempotency-key", detail)
    if call.idempotency_key is not None:
        first_time(desk.store, "job", job_id, desk.now())  # the answer is kept with it
    shown = _shown(desk, job)
    desk.jobs.wake()
    return Answer(shown, 202)


def see_job(desk: Desk, call: Call) -> Answer:
    """How far a job is."""
    job = _own(desk, call)
    headers = {} if job.end() else {"Retry-After": str(SOON_SECONDS)}
    return Answer(_shown(desk, job), headers=headers)


def list_jobs(desk: Desk, call: Call) -> Answer:
    """The key's jobs, the newest first."""
    return Answer({"items": [_shown(desk, job) for job in reversed(_jobs_of(desk, call.actor))]})


def see_result(desk: Desk, call: Call) -> Answer:
    """The rows of a job that is done, as the file that is asked for."""
    wanted = call.parameters.get("format")
    if wanted and wanted not in FORMATS:
        detail = f"format={wanted!r}: there are {', '.join(FORMATS)}"
        raise Problem(400, "parameter", detail)
    job = _own(desk, call)
    state = job.state()
    if state == "failed":
        raise Problem(409, "job-failed", str((job.end() or {}).get("detail")))
    if state != "done":
        detail = f"the job is {state}: {job.rows_done():,} of {job.rows:,} rows"
        raise Problem(409, "job-running", detail, headers={"Retry-After": str(SOON_SECONDS)})
    media = FORMATS[wanted] if wanted else call.accept
    suffix = next(name for name, one in FORMATS.items() if one == media)
    try:
        pieces = result_of(job, media)
    except FileNotFoundError:  # deleted just now
        raise _no_such(job.job_id) from None
    name = f'attachment; filename="{job.job_id}.{suffix}"'
    return Answer(pieces, media_type=media, headers={"Content-Disposition": name})


def delete_job(desk: Desk, call: Call) -> Answer:
    """Remove a job, whatever its state; one that runs ends."""
    remove_job(_own(desk, call))
    return Answer(None, 204)


def _horizons_of(call: Call) -> list[int] | None:
    text = call.parameters.get("horizons")
    if not text:
        return None
    days = text.split(",")
    if not all(day.isascii() and day.isdigit() and len(day) <= 3 for day in days):
        raise Problem(400, "parameter", f"horizons={text[:50]!r}: give days, such as 7,30")
    return [int(day) for day in days]


def _id_of(call: Call) -> str:
    if call.idempotency_key is None:
        return secrets.token_hex(16)
    name = f"{len(call.actor)} {call.actor} {call.idempotency_key}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _within_limits(desk: Desk, key: str) -> None:
    """Problem where the key has as many jobs as it may."""
    api, jobs = desk.workspace.settings.api, _jobs_of(desk, key)
    waiting = sum(job.end() is None for job in jobs)
    if waiting >= api.jobs_waiting:
        detail = f"{waiting} jobs of this key are not done; send the next one when one is"
        raise Problem(429, "jobs-waiting", detail, headers={"Retry-After": "10"})
    if len(jobs) >= api.jobs_kept:
        detail = f"{len(jobs)} jobs of this key are kept; delete those whose result you have"
        raise Problem(409, "jobs-kept", detail)


def _jobs_of(desk: Desk, key: str) -> list[Job]:
    return [job for job in read_jobs(desk.jobs.home) if job.key == key]


def _own(desk: Desk, call: Call) -> Job:
    """The job of the path, if the key that asks began it."""
    job = read_job(desk.jobs.home, call.parameters["id"])
    if job is None or job.key != call.actor:
        raise _no_such(call.parameters["id"])
    return job


def _no_such(job_id: str) -> Problem:
    detail = f"this key has no job {job_id[:64]!r}; GET /v1/jobs lists those it has"
    return Problem(404, "no-such-job", detail)


def _shown(desk: Desk, job: Job) -> dict[str, Any]:
    end, now = job.end() or {}, desk.now()
    as_of, days = moment(job.scores["as_of"]), desk.jobs.days
    stopped = list(job.scores.get("stopped_sources", ()))
    until, state = job.kept_until(days), job.state()
    return {
        "job_id": job.job_id,
        "kind": "predictions",
        "state": state,
        "rows": job.rows,
        "rows_done": job.rows_done(),
        "rows_with_error": end.get("rows_with_error"),
        "horizons": list(job.horizons),
        "as_of": utc(as_of),
        "expires_at": utc(as_of + LIFETIME),
        "stale": now > as_of + LIFETIME or bool(stopped),
        "stale_sources": stopped,
        "model_version": str(job.scores["model_version"]),
        "created_at": utc(job.created_at),
        "finished_at": utc(moment(end["at"])) if end else None,
        "kept_until": None if until is None else utc(until),
        "result": f"/v1/jobs/{job.job_id}/result" if state == "done" else None,
        "detail": end.get("detail"),
    }
