"""A verb, or one score asked for over HTTP, with what it took counted: started by
``benchmarks.house``, in a process of its own.

    .venv/bin/python -m benchmarks.house_counts OUT verb staff DIR
    .venv/bin/python -m benchmarks.house_counts OUT path DIR

OUT becomes a JSON file of counts.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from benchmarks.house import ROOMS, ROOT

PASSES = "SHA-256 passes"
SETTINGS = "settings read"
SCORES = "scores"
FORECASTS = "forecasts"
JOINS = "reconciled"


def count(counts: Counter[str], module: ModuleType, name: str, what: str) -> None:
    """Every call of ``module.name`` from now on adds one to ``counts[what]``."""
    whole: Callable[..., Any] = getattr(module, name)

    @functools.wraps(whole)
    def counted(*arguments: Any, **named: Any) -> Any:
        counts[what] += 1
        return whole(*arguments, **named)

    setattr(module, name, counted)


def verb(arguments: list[str]) -> Counter[str]:
    """Run ``presage ARGUMENTS`` in this process; what it hashed, read, scored and forecast."""
    counts: Counter[str] = Counter({PASSES: 0, SCORES: 0, FORECASTS: 0})
    count(counts, hashlib, "file_digest", PASSES)
    count(counts, hashlib, "sha256", PASSES)
    import data.folder
    import pipelines.steps.forecast
    import pipelines.steps.risk
    from pipelines.cli import app

    count(counts, data.folder, "load_settings", SETTINGS)
    count(counts, pipelines.steps.risk, "scored", SCORES)
    count(counts, pipelines.steps.forecast, "_built", FORECASTS)
    for place in (pipelines.steps.risk, pipelines.steps.forecast):
        count(counts, place, "join_published", JOINS)
    code = app(arguments, standalone_mode=False)
    if code:
        raise SystemExit(code)
    return counts


def path_of_a_score(folder: Path) -> dict[str, list[str]]:
    """The product's files in which code runs between ``POST /v1/predictions`` for one customer and
    its answer: of a customer as scored, and of one with news. Another one is asked for first."""
    from datetime import timedelta

    from starlette.testclient import TestClient

    from data.clock import SYSTEM
    from data.store import SCOPES, create_key, open_store
    from data.workspace import Workspace
    from serving.api.assembly import assemble
    from serving.published import newest

    workspace = Workspace.open(folder)
    scores = newest(workspace.state_dir, "scores")
    assert scores is not None
    ids = scores.frame["customer_id"].astype(str).head(4).tolist()
    with open_store(workspace) as store:
        ends = SYSTEM.now() + timedelta(hours=1)
        key = create_key(store, "house", SCOPES, SYSTEM.now(), ends)
    files: set[str] = set()
    asked = threading.Event()
    rooms = tuple(f"{ROOT / room}/" for room in ROOMS)

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and asked.is_set() and frame.f_code.co_filename.startswith(rooms):
            files.add(str(Path(frame.f_code.co_filename).relative_to(ROOT)))

    def ask(client: TestClient, path: str, body: object) -> None:
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text

    def path(client: TestClient, first: str, second: str) -> list[str]:
        ask(client, "/v1/predictions", {"customer_ids": [first]})
        files.clear()
        asked.set()
        ask(client, "/v1/predictions", {"customer_ids": [second]})
        asked.clear()
        return sorted(files)

    threading.setprofile(note)
    application, desk = assemble(workspace, SYSTEM)
    try:
        with TestClient(application, headers={"Authorization": f"Bearer {key}"}) as client:
            as_scored = path(client, *ids[:2])
            for customer_id in ids[2:]:
                event = {"event_id": f"house-{customer_id}", "customer_id": customer_id}
                event |= {"feature": "search", "used_at": SYSTEM.now().isoformat() + "Z"}
                ask(client, "/v1/events", {"usage": [event]})
            return {"as scored": as_scored, "with news": path(client, *ids[2:])}
    finally:
        desk.close()


def main() -> None:
    out, what, *arguments = sys.argv[1:]
    result = path_of_a_score(Path(arguments[0])) if what == "path" else verb(arguments)
    Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
