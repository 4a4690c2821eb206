"""The API under load from a second process: throughput beside a bare endpoint, latencies, overload.

    .venv/bin/python -m benchmarks.api DIR
    .venv/bin/python -m benchmarks.api DIR --seconds 2 --only reads,events
    .venv/bin/python -m benchmarks.api DIR --only memory,twice,killed --cycles 1000 --tries 1000 \
        --kills 20

``DIR``: a workspace with published scores; it is copied. The service is the one of `presage serve`,
one worker. Latencies count from the moment at which a request was due (benchmarks/api_load.py).
Reads: one scored customer with reasons, by turns with an endpoint of Starlette and msgspec that
answers the same bytes, and with the same endpoint mounted in BentoML. Events: a row is posted and
its customer predicted. Overload: ten times what it can; slow: 200 clients that never finish their
request; memory: {post, predict}, again and again; swaps: another model version under load; twice:
two equal requests at once; killed: kill -9 while rows are posted (benchmarks/api_faults.py); jobs:
live beside a bulk job, and one that is killed (benchmarks/api_jobs.py); offered: mutated models
(benchmarks/api_models.py); planted: secrets and personal strings (benchmarks/api_planted.py).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.api_faults import killed, twice
from benchmarks.api_jobs import jobs
from benchmarks.api_models import offered
from benchmarks.api_planted import planted
from benchmarks.api_served import Line, Served, free_port, load, ms, process
from benchmarks.running import show


def reads(served: Served, seconds: float, rounds: int = 3) -> list[Line]:
    """Throughput by turns with the bare endpoints, and latency at half of capacity."""
    riskiest = served.ids[-1]
    ask = [served.predict(riskiest)]
    with ExitStack() as stack:
        answer = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "answer.json"
        answer.write_bytes(served.ask("POST", "/v1/predictions", {"customer_ids": [riskiest]}))
        bare, mounted = free_port(), free_port()
        environ = {"BARE_ANSWER": str(answer), "BENTOML_DO_NOT_TRACK": "True"}
        command = [sys.executable, "-m", "uvicorn", "benchmarks.api_bare:app", "--no-access-log"]
        command += ["--port", str(bare), "--log-level", "warning"]
        stack.enter_context(process(command, f"http://127.0.0.1:{bare}/", **environ))
        command = [sys.executable, "-m", "bentoml", "serve", "benchmarks.api_bare:Mounted"]
        command += ["--host", "127.0.0.1", "--port", str(mounted)]
        stack.enter_context(process(command, f"http://127.0.0.1:{mounted}/livez", **environ))
        places = {
            "presage serve": served.url,
            "bare Starlette and msgspec": f"http://127.0.0.1:{bare}",
            "the same in BentoML": f"http://127.0.0.1:{mounted}",
        }
        rates: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(rounds):
            for name, url in places.items():
                rates[name].append(load(url, served.key, ask, 0, seconds)["per_second"])
        best = {name: max(values) for name, values in rates.items()}
        half = load(served.url, served.key, ask, best["presage serve"] / 2, seconds * 2)
    ours = best["presage serve"]
    bars = ("", ">= .5 x", ">= .85 x")
    lines = [
        [f"reads: {name}", f"{rate:.0f}/s, ours {ours / rate:.2f} x", bar]
        for (name, rate), bar in zip(best.items(), bars, strict=True)
    ]
    latency = f"p50 {ms(half['p50'])}, p99 {ms(half['p99'])}, {half['statuses']}"
    return [*lines, [f"reads: at {ours / 2:.0f}/s", latency, "p99 <= 10 ms"]]


def reads_of_many(served: Served, seconds: float) -> list[Line]:
    """Fifty scored customers in turn, one a request."""
    ask = [served.predict(one) for one in served.ids[:: max(len(served.ids) // 50, 1)][:50]]
    figures = load(served.url, served.key, ask, 10.0, seconds)  # each time all of them
    latency = f"p50 {ms(figures['p50'])}, p99 {ms(figures['p99'])}, {figures['statuses']}"
    return [["50 customers in turn, 500/s", latency, ""]]


def many(served: Served, seconds: float) -> list[Line]:
    """A thousand ids."""
    ids = (served.ids * 1000)[:1000]
    figures = load(served.url, served.key, [served.predict(*ids)], 0, seconds, connections=1)
    return [["1,000 ids", f"p50 {ms(figures['p50'])}, p99 {ms(figures['p99'])}", "<= 100 ms"]]


def view(served: Served, seconds: float) -> list[Line]:
    """The view of one customer."""
    ask = [{"method": "GET", "path": f"/v1/customers/{served.ids[-1]}"}]
    figures = load(served.url, served.key, ask, 0, seconds, connections=1)
    latency = f"p50 {ms(figures['p50'])}, p99 {ms(figures['p99'])} {figures['statuses']}"
    return [["customer view", latency, "163 ms before"]]


def events(served: Served, seconds: float, rates: tuple[float, ...] = (1, 5, 20)) -> list[Line]:
    """Post a row and predict its customer, at steady rates."""
    lines = []
    for rate in rates:
        who, at = random.Random(rate).choice(served.ids), (served.as_of + timedelta(hours=1))
        row = {"event_id": f"e{rate}-{{n}}", "used_at": at.isoformat() + "Z", "customer_id": who,
               "feature": "payment_failed"}  # fmt: skip
        post = {"method": "POST", "path": "/v1/events", "body": json.dumps({"usage": [row]})}
        figures = load(served.url, served.key, [post, served.predict(who)], rate, seconds * 2)
        latency = f"p50 {ms(figures['p50'])}, p99 {ms(figures['p99'])}, {figures['statuses']}"
        lines.append([f"event to prediction, {rate:g}/s", latency, "p99 <= 250 ms"])
    return lines


def memory(served: Served, seconds: float, cycles: int = 60) -> list[Line]:
    """{post, predict} for one customer after the other."""
    at = (served.as_of + timedelta(hours=1)).isoformat() + "Z"

    def cycle(number: int) -> None:
        who = served.ids[number % len(served.ids)]
        row = {"event_id": f"m{number}", "used_at": at, "customer_id": who, "feature": "search"}
        served.ask("POST", "/v1/events", {"usage": [row]})
        served.ask("POST", "/v1/predictions", {"customer_ids": [who]})

    for number in range(10):
        cycle(number)
    before, began = served.memory_mib(), time.perf_counter()
    told = [f"{before:.0f}"]
    for number in range(1, cycles + 1):
        cycle(9 + number)
        if number % max(cycles // 4, 1) == 0:
            after = served.memory_mib()
            told.append(f"{number}: {after:.0f} ({after / before - 1:+.1%})")
    each = (time.perf_counter() - began) / cycles
    line = f"MiB after so many more: {', '.join(told)}; {each * 1000:.0f} ms each"
    return [["{post, predict}: memory", line, "growth < 5 %"]]


def overload(served: Served, seconds: float) -> list[Line]:
    """Ten times the capacity of a call that needs a thread."""
    ask = [{"method": "GET", "path": f"/v1/customers/{served.ids[-1]}"}]
    capacity = load(served.url, served.key, ask, 0, seconds, connections=2)
    steady = load(served.url, served.key, ask, capacity["per_second"] / 2, seconds)
    over = load(served.url, served.key, ask, capacity["per_second"] * 10, seconds, connections=128)
    began = time.perf_counter()
    served.ask("GET", f"/v1/customers/{served.ids[-1]}")
    back = time.perf_counter() - began
    latency = f"accepted p99 {ms(over['p99'])} (steady {ms(steady['p99'])}), {over['statuses']}"
    return [["10 x overload", f"{latency}; one answer {back:.2f} s after", "p99 <= 2 x, <= 5 s"]]


def slow(served: Served, seconds: float) -> list[Line]:
    """200 clients that send half a request, beside others."""
    host, port = served.url.removeprefix("http://").split(":")
    ask = [served.predict(served.ids[-1])]
    alone = load(served.url, served.key, ask, 100, seconds)
    links = [socket.create_connection((host, int(port)), timeout=30) for _ in range(200)]
    head = f"POST /v1/predictions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key}\r\n"
    for link in links:
        link.sendall((head + "Content-Length: 1000\r\n\r\n{").encode())
    beside = load(served.url, served.key, ask, 100, seconds)
    for link in links:
        link.close()
    latency = f"p99 {ms(beside['p99'])} (alone {ms(alone['p99'])}), {beside['statuses']}"
    return [["beside 200 slow clients, 100/s", latency, "unharmed"]]


def swaps(served: Served, seconds: float, count: int = 5) -> list[Line]:
    """Another version of the model, again and again, while predictions are asked for."""
    pointer = served.workspace / ".presage/models/risk/champion.json"
    champion = json.loads(pointer.read_text())
    home, version = pointer.parent, champion["version"]
    name = f"{{}}-{champion['fingerprint'][:12]}"
    shutil.copytree(home / name.format(version), home / name.format("990"))
    ask = [served.predict(*served.ids[-5:])]
    capacity = load(served.url, served.key, ask, 0, seconds, connections=8)["per_second"]
    rate = 0.7 * capacity
    spec = {"url": served.url, "key": served.key, "requests": ask, "rate": rate, "versions": True,
            "seconds": seconds * count, "connections": 8}  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.api_load"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert running.stdin is not None
    running.stdin.write(json.dumps(spec).encode())
    running.stdin.close()
    for number in range(count):
        time.sleep(seconds * 0.9)
        swapped = {**champion, "version": "990" if number % 2 == 0 else version}
        swapped["promoted_at"] = datetime.now().isoformat()
        staged = pointer.with_suffix(".new")
        staged.write_text(json.dumps(swapped))
        staged.replace(pointer)
    assert running.stdout is not None
    figures = json.loads(running.stdout.read())
    running.wait(60)
    pointer.write_text(json.dumps(champion))
    failed = sum(n for status, n in figures["statuses"].items() if status != "200")
    counts = (
        f"{failed} failed, {figures['mixed']} mixed of {figures['requests']}; {figures['versions']}"
    )
    load_text = f"{count} model swaps at {rate:.0f}/s, 70 % of what it can"
    return [[load_text, f"{counts}, p99 {ms(figures['p99'])}", "0 and 0"]]


def soak(served: Served, seconds: float) -> list[Line]:
    """Reads at a steady rate for ten times as long: errors, memory, descriptors."""
    ask = [served.predict(served.ids[-1])]
    load(served.url, served.key, ask, 100, seconds)
    before, files = served.memory_mib(), served.descriptors()
    figures = load(served.url, served.key, ask, 100, seconds * 10)
    after, later = served.memory_mib(), served.descriptors()
    text = f"{figures['statuses']}, {before:.0f} to {after:.0f} MiB, {files} to {later} descriptors"
    return [[f"soak, {seconds * 10:g} s at 100/s", text, "0 errors, < 5 %, constant"]]


PARTS = {
    one.__name__: one
    for one in (
        reads, many, view, events, memory, overload, slow, swaps, soak, twice, killed, jobs,
        offered, planted,
    )
}  # fmt: skip


def measure(workspace: Path, seconds: float, parts: list[str], **sizes: Any) -> list[Line]:
    """The lines of the table; ``sizes`` by part, such as ``memory={"cycles": 60}``."""
    with ExitStack() as stack:
        served = Served(workspace, stack)
        lines: list[Line] = []
        for part in parts:
            found = PARTS[part](served, seconds, **sizes.get(part, {}))
            for line in found:
                print(" | ".join(line), file=sys.stderr, flush=True)
            lines += found
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0, help="of one load")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--cycles", type=int, default=60, help="of {post, predict}: memory")
    parser.add_argument("--tries", type=int, default=100, help="of two equal requests: twice")
    parser.add_argument("--rows", type=int, default=200_000, help="of a bulk job: jobs")
    parser.add_argument("--kills", type=int, default=3, help="of the service: killed, jobs")
    parser.add_argument("--models", type=int, default=100, help="that are mutated: offered")
    parser.add_argument("--swaps", type=int, default=5, help="of models: swaps")
    chosen = parser.parse_args()
    parts = chosen.only.split(",")
    if wrong := set(parts) - set(PARTS):
        raise SystemExit(f"--only {', '.join(sorted(wrong))}: there are {', '.join(PARTS)}")
    sizes = {
        "memory": {"cycles": chosen.cycles},
        "twice": {"tries": chosen.tries},
        "killed": {"kills": chosen.kills},
        "offered": {"count": chosen.models},
        "swaps": {"count": chosen.swaps},
        "jobs": {"rows": chosen.rows, "kills": chosen.kills},
    }
    show(["what", "measured", "bar"], measure(chosen.workspace, chosen.seconds, parts, **sizes))


if __name__ == "__main__":
    main()
