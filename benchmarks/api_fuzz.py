"""Every call of the API under thousands of made-up requests, with and without a key.

    .venv/bin/python -m benchmarks.api_fuzz DIR [--examples 110] [--cache FOLDER]

Schemathesis reads ``/openapi.json`` of the service as ``presage serve`` starts it, on a copy of the
scored workspace DIR, and makes requests from it: right ones, wrong ones, and chains of calls that
pass each other's answers on. Counted are server errors, answers of a status, kind or shape that the
document does not tell, and calls that let in who has no key. Schemathesis is installed in an
environment of its own below ``--cache`` when it is first needed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.api_served import Served
from benchmarks.running import PRESAGE, show
from benchmarks.volume_environment import environment
from data.store import SCOPES

PACKAGES = ("schemathesis>=4.32,<5",)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
)


def fuzz(served: Served, tool: Path, key: str, examples: int, seed: int) -> str:
    """What Schemathesis prints of a run."""
    command = [
        str(tool), "run", f"{served.url}/openapi.json", "--url", served.url, "--no-color",
        "--max-examples", str(examples), "--workers", "1", "--seed", str(seed),
        "--checks", ",".join(CHECKS), "-H", f"Authorization: Bearer {key}",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def counts(text: str) -> tuple[int, dict[str, int]]:
    """The cases that were generated, and the failures of each kind."""
    cases = re.search(r"(\d+) generated", text)
    kinds = dict(re.findall(r"❌ ST\d+ ([^:]+): (\d+)", text))
    return int(cases[1]) if cases else 0, {kind: int(count) for kind, count in kinds.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--examples", type=int, default=110, help="requests a call")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "presage-fuzz")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--log", type=Path, help="where to keep all that was printed")
    chosen = parser.parse_args()
    tool = environment(chosen.cache, PACKAGES).with_name("schemathesis")
    lines, log = [], ""
    with ExitStack() as stack:
        served = Served(chosen.workspace, stack)
        monitor = [str(PRESAGE), "monitor", str(served.workspace)]
        subprocess.run(monitor, check=False, capture_output=True)  # 1: there are alarms
        scopes = ",".join(SCOPES)
        create = [str(PRESAGE), "keys", str(served.workspace), "create", "fuzz", "--json"]
        told = subprocess.run([*create, "--scopes", scopes], check=True, capture_output=True).stdout
        for name, key in (("every scope", json.loads(told)["key"]), ("no key", "none")):
            text = fuzz(served, tool, key, chosen.examples, chosen.seed)
            cases, kinds = counts(text)
            if not cases:
                raise SystemExit(text[-3000:])
            failures = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"
            lines.append([name, str(cases), failures, str(served.process.poll() is None)])
            log += text
    if chosen.log:
        chosen.log.write_text(log)
    show(["requests with", "cases", "failures", "service still up"], lines)


if __name__ == "__main__":
    main()
