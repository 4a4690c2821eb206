"""A real PostgreSQL for the tests of this room."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The socket folder of a PostgreSQL of our own; ``PRESAGE_TEST_POSTGRES`` may name a server."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        pytest.skip("PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/initdb)")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    bin_folder = binaries[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="presage-pg-"))
    user = None
    if os.geteuid() == 0:  # the server refuses to run as root
        user = "nobody"
        shutil.chown(folder, user)
    run = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    data = folder / "data"
    subprocess.run(
        [bin_folder / "initdb", "-D", data, "-U", "presage", "-A", "trust", "--no-sync"],
        check=True,
        **run,
    )
    server = subprocess.Popen(
        [bin_folder / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"],
        **run,
    )
    try:
        engine = sa.create_engine(f"postgresql+psycopg://presage@/postgres?host={folder}")
        waiting = threading.Event()
        for _ in range(600):
            try:
                engine.connect().close()
                break
            except sa.exc.OperationalError:
                waiting.wait(0.1)
        engine.dispose()
        yield str(folder)
    finally:
        server.send_signal(signal.SIGINT)  # by SIGTERM it waits until every client has gone
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
