"""Presage's command line in processes of its own that need not import everything anew.

One process imports what the verbs import, and forks for each command: the child has arguments,
environment, folder, output and exit code of its own, as if a user had started it. Started as a
script it is that process: it reads a command a line, and answers with its exit code.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

SCRIPT = Path(sys.executable).with_name("presage")
TIMEOUT_SECONDS = 500
HEAVY = ("pipelines.flows", "pipelines.cli", "lightgbm", "mlflow", "matplotlib.figure")


class Forks:
    """The process that forks; started by the first command, ended by ``close``."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """One command, with its output; commands of several threads wait for each other."""
        command = [str(SCRIPT), *map(str, arguments)]
        with self._turn, tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            told = {"argv": command, "env": dict(os.environ), "cwd": str(Path.cwd())}
            server = self._started()
            assert server.stdin is not None and server.stdout is not None
            print(json.dumps(told | {"out": str(out), "err": str(err)}), file=server.stdin)
            server.stdin.flush()
            answer = server.stdout.readline()
            assert answer, f"the process that forks has ended with {server.wait(60)}"
            return subprocess.CompletedProcess(
                command, int(answer), out.read_text(), err.read_text()
            )

    def close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(60)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            atexit.register(self.close)
        return self._process


FORKS = Forks()
"""The one of this test process."""


def serve() -> None:
    """Fork for every line of the input, until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an import prints is no answer
    from presage.rooms import bind

    bind()
    for name in HEAVY:
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _command(json.loads(line))
        _, status = _end_of(child)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _end_of(child: int) -> tuple[int, int]:
    until = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < until:
        ended = os.waitpid(child, os.WNOHANG)
        if ended[0]:
            return ended
        time.sleep(0.01)
    os.kill(child, 9)
    return os.waitpid(child, 0)


def _command(told: dict[str, Any]) -> None:
    """In the child: the command as it was told, and its end."""
    import traceback

    files = (os.devnull, os.O_RDONLY), (told["out"], os.O_CREAT | os.O_WRONLY)
    for number, (path, how) in enumerate((*files, (told["err"], os.O_CREAT | os.O_WRONLY))):
        os.dup2(os.open(path, how, 0o600), number)
    os.environ.clear()
    os.environ.update(told["env"])
    os.chdir(told["cwd"])
    sys.argv = told["argv"]
    from presage.__main__ import main

    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    serve()
