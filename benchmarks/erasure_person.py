"""A small workspace in which one person stands in every place that there is, and a search for their
strings that shares no code with the eraser."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pyarrow.parquet as pq

from data.artifacts import point, put
from data.snapshot import take
from data.store import (
    answer_once,
    append_decisions,
    append_events,
    decisions_of,
    erasure_of,
    event_frames,
    open_store,
    publish_frame,
    put_consent,
    record_outcome,
    save_override,
    verify_log,
)
from data.store.schema import PREDICTIONS
from data.workspace import Workspace, init, write_tables
from serving.kept_rows import FOLDER, Place, keep_rows
from serving.kept_scores import keep_scores

NOW = datetime(2026, 3, 1)
WHO, OTHER = "cust/p-17", "cust/p-170"
NAME, MAIL = "Anna Planteva", "anna.planteva@example.org"
TEXTS = [
    f'Planted {n}: my "parcel" went to Ønsket gate {n * 31}, {"ho " * 20}{n}' for n in (1, 2, 3)
]
PLANTED = [
    WHO,
    NAME,
    MAIL,
    "+47 555 01 234 planted",
    "Plantveien 7b, 0999 Oslo",
    *TEXTS,
    *(f"order-plant-{n}" for n in (1, 2, 3)),
    *(f"ticket-plant-{n}" for n in (1, 2, 3)),
    "feedback-plant-1",
    "session-plant-1",
    "treatment-plant-1",
    "plantid-used-1",
    "Planted feedback about the lamp",
    "Planted and posted by the service",
]
"""Twenty strings of one person."""


def tables() -> dict[str, pd.DataFrame]:
    """Two people's rows of every table that knows people."""
    day = pd.Timestamp("2026-01-01")
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": [WHO, OTHER, "c-3"],
                "signed_up_at": day,
                "name": [NAME, "Bo Other", "Cy Third"],
                "region": "north",
                "email": [MAIL, "bo@example.org", "cy@example.org"],
                "phone": [PLANTED[3], "+47 555 99 999", None],
                "address": [PLANTED[4], "Othergata 1", None],
            }
        ),
        "orders": pd.DataFrame(
            {
                "order_id": ["order-plant-1", "order-plant-2", "order-plant-3", "order-4"],
                "ordered_at": day,
                "customer_id": [WHO, WHO, WHO, OTHER],
                "amount": [1.0, 2.0, 3.0, 4.0],
            }
        ),
        "order_items": pd.DataFrame(
            {"order_id": ["order-plant-1", "order-4"], "line": ["1", "1"], "quantity": [1, 2]}
        ),
        "usage": pd.DataFrame(
            {
                "event_id": ["plantid-used-1", "used-2"],
                "used_at": day,
                "customer_id": [WHO, OTHER],
                "feature": ["login", "login"],
            }
        ),
        "tickets": pd.DataFrame(
            {
                "ticket_id": ["ticket-plant-1", "ticket-plant-2", "ticket-plant-3", "t-4", "t-5"],
                "opened_at": day,
                "customer_id": [WHO, WHO, None, OTHER, OTHER],
                "order_id": [None, None, "order-plant-2", "order-4", None],
                "channel": "email",
                "text": [*TEXTS, f"I know {MAIL}, she is {WHO} too", "thank you for the lamp"],
            }
        ),
        "bot_sessions": pd.DataFrame(
            {
                "session_id": ["session-plant-1", "s-2"],
                "started_at": day,
                "customer_id": pd.array([None, OTHER], dtype="str"),
                "ticket_id": ["ticket-plant-3", None],
            }
        ),
        "feedback": pd.DataFrame(
            {
                "feedback_id": ["feedback-plant-1", "f-2"],
                "given_at": day,
                "customer_id": [WHO, OTHER],
                "kind": "review",
                "text": ["Planted feedback about the lamp", "fine lamp"],
            }
        ),
        "treatments": pd.DataFrame(
            {
                "treatment_id": ["treatment-plant-1", "tr-2"],
                "treated_at": day,
                "customer_id": [WHO, OTHER],
                "campaign": "spring",
                "arm": "treat",
            }
        ),
    }


def planted(folder: Path) -> Workspace:
    """The workspace, every place filled."""
    workspace = init(folder)
    every = tables()
    write_tables(folder, {n: f for n, f in every.items() if n not in ("feedback", "usage")})
    every["feedback"].to_csv(folder / "tables" / "feedback.csv", index=False)
    parts = folder / "tables" / "usage"
    parts.mkdir()
    for number in (0, 1):
        every["usage"].iloc[[number]].to_parquet(parts / f"part-{number}.parquet", index=False)
    with open_store(workspace) as store:
        posted = {
            "tickets": [
                {"ticket_id": "t-9", "opened_at": "2026-02-01T00:00:00", "customer_id": WHO,
                 "channel": "chat", "text": "Planted and posted by the service"},
                {"ticket_id": "t-10", "opened_at": "2026-02-01T00:00:00", "customer_id": OTHER,
                 "channel": "chat", "text": f"please tell {NAME}"},
            ],
            "article_events": [
                {"article_id": "a", "viewed_at": "2026-02-01T00:00:00", "customer_id": WHO}
            ],
        }  # fmt: skip
        append_events(store, posted, NOW)
        for who in (WHO, OTHER):
            put_consent(store, who, "email", True, NOW, "form")
        decisions = [
            {"decision_id": f"d-{n}", "customer_id": who, "reason": f"Order of {who} is late"}
            for n, who in enumerate((WHO, OTHER))
        ]
        outbox = [
            {"decision_id": d["decision_id"], "customer_id": d["customer_id"], "channel": "email",
             "action": "apology", "payload": {"to": MAIL if d["customer_id"] == WHO else "bo"}}
            for d in decisions
        ]  # fmt: skip
        append_decisions(store, "run", decisions, NOW, outbox)
        record_outcome(store, "d-0", "answered", NOW, f"{NAME} rang back", NOW)
        save_override(
            store, unique_id="total", starts_at=NOW, ends_at=datetime(2026, 3, 2), factor=1.1,
            value=None, author="planner", reason=f"{NAME} announced a campaign", now=NOW,
        )  # fmt: skip
        answer_once(
            store, "POST /v1/x", "key", "{}", NOW, lambda: (_touch(store), (200, f'["{WHO}"]'))[1]
        )
        scores = scores_frame()
        publish_frame(store, "scores", scores, as_of=NOW, issued_at=NOW, model_version="risk-1")
        with store.writing() as connection:
            row = {"customer_id": WHO, "as_of": NOW, "issued_at": NOW, "model_version": "risk-1",
                   "payload": {"7": 0.5}}  # fmt: skip
            connection.execute(PREDICTIONS.insert(), row)
    snapshot = take(workspace, now=NOW)
    keep_rows(snapshot, Place.of(snapshot))
    # of an older snapshot, in which nothing else names them
    shutil.copytree(snapshot.path / FOLDER, snapshot.path.parent / "older" / FOLDER)
    _derived(workspace, scores)
    return workspace


def scores_frame() -> pd.DataFrame:
    """Scores as they are published."""
    return pd.DataFrame(
        {
            "customer_id": [WHO, OTHER, "c-3"],
            "as_of": NOW,
            "risk_7d": [0.5, 0.25, 0.1],
            "reasons": [json.dumps([{"text": "Order order-plant-1 has not arrived"}]), "[]", "[]"],
        }
    )


def _touch(store: object) -> None:
    put_consent(store, OTHER, "phone", False, NOW, "form")  # type: ignore[arg-type]


def _derived(workspace: Workspace, scores: pd.DataFrame) -> None:
    state = workspace.state_dir
    home = state / "published"
    for number in (1, 2):
        frame = scores.assign(risk_7d=scores["risk_7d"] / number)
        product = put(home, f"scores-2026030{number}T000000", ".parquet", frame.to_parquet)
        keep_scores(home, product["sha256"], frame)
        point(home, "scores", {**product, "rows": len(frame), "as_of": NOW.isoformat()})
    _write(state / "features" / "2026-03-01T000000-ab" / "part-0.parquet", scores.to_parquet)
    _write(state / "features" / "2026-03-01T000000-ab" / "manifest.json", '{"files": {}}')
    quarantine = pd.DataFrame({"table": ["orders"], "row": [3], "value": ["order-plant-3"]})
    _write(state / "quarantine" / "volumes.parquet", quarantine.to_parquet)
    decided = scores.assign(eligible=[True, True, False], risk=0.5, segment=[NAME, None, None])
    _write(state / "decided" / "outreach-20260301T000000-ab.parquet", decided.to_parquet)
    log = f"GET /v1/customers/{quote(WHO, safe='')} 200\nGET /v1/customers/{OTHER} 200\n"
    log += base64.b64encode(b"to " + MAIL.encode()).decode() + "\n"
    _write(state / "logs" / "api.log", log)
    run = state / "mlartifacts" / "run" / "artifacts"
    example = {"columns": ["customer_id", "x"], "data": [[WHO, 1.0], [OTHER, 2.0]]}
    _write(run / "input_example.json", json.dumps(example))
    _write(run / "tables" / "rows.json", json.dumps({"rows": [{"customer_id": WHO}, {"x": NAME}]}))
    _write(run / "report.html", f"<p>the worst: {NAME}</p>\n<p>and Bo Other</p>\n")
    _write(state / "search.db", f"trial of {WHO}")
    _write(state / "predictions" / "2026-03-01" / "answered-1.jsonl",
           f'{{"customer_id": "{WHO}"}}\n{{"customer_id": "{OTHER}"}}\n')  # fmt: skip
    _write(state / "jobs" / "j1" / "job.json", "{}")
    _write(state / "jobs" / "j1" / "end.json", "{}")
    scores.to_parquet(state / "jobs" / "j1" / "result.parquet", index=False)
    _write(workspace.path / "scores.csv", scores.to_csv(index=False))


def _write(path: Path, content: str | Callable[[Path], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content, "utf-8")
    else:
        content(path)


def standing(folder: Path, strings: Sequence[str] = PLANTED) -> list[tuple[str, str]]:
    """Which strings stand in which files, in any writing: (file, string)."""
    places = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = _content(path)
        for string in strings:
            raw = string.encode()
            coded = [base64.b64encode(b"." * n + raw)[4:-4] for n in range(3)]
            urlsafe = [base64.urlsafe_b64encode(b"." * n + raw)[4:-4] for n in range(3)]
            escaped = [json.dumps(string, ensure_ascii=a)[1:-1].encode() for a in (True, False)]
            doubled = string.replace('"', '""').encode()  # as in CSV
            ways = {raw, doubled, quote(string, safe="").encode(), *escaped}
            if len(raw) > 12:
                ways |= {*coded, *urlsafe}
            # cust/p-17 is no part of cust/p-170
            if any(data.count(way) > data.count(way + b"0") * (string == WHO) for way in ways):
                places.append((str(path.relative_to(folder)), string))
    return places


def _content(path: Path) -> bytes:
    """A file's bytes, and what it says where they are packed."""
    data = path.read_bytes()
    if path.suffix == ".parquet":
        rows = pq.read_table(path).to_pylist()
        return data + json.dumps(rows, default=str, ensure_ascii=False).encode()
    return data


def state_of(folder: Path) -> dict[str, object]:
    """All files' content, but for those that hold keys and moments; the store's by its rows."""
    aside = ("store.db", "secrets", "decision-log.head", "hashes.json")
    state: dict[str, object] = {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.startswith(aside)
    }
    with open_store(Workspace.open(folder)) as store:
        state["events"] = {n: f.to_csv() for n, f in event_frames(store).items()}
        state["decisions"] = decisions_of(store)
        state["log"] = verify_log(store)
        proof = erasure_of(store, WHO)
        assert proof is not None
        fields = {k: v for k, v in proof[1].items() if k not in ("bytes", "orders", "files", "by")}
        state["proof"] = fields, len(proof[1]["orders"])
    return state
