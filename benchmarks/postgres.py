"""A real PostgreSQL of our own, on a socket in a folder that only this process knows."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

START_SECONDS = 60


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs, None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Postgres:
    """A server that can be stopped and started again; ``end`` removes it.

    RuntimeError where PostgreSQL is not installed or does not start.
    """

    def __init__(self) -> None:
        programs = binaries()
        if programs is None:
            raise RuntimeError("PostgreSQL is not installed: no /usr/lib/postgresql/*/bin/initdb")
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="presage-pg-"))
        self._run: dict[str, Any] = {
            "cwd": self.folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
        }  # fmt: skip
        if os.geteuid() == 0:  # the server refuses to run as root
            self._run["user"] = "nobody"
            shutil.chown(self.folder, "nobody")
        make = [str(programs / "initdb"), "-D", str(self.folder / "data"), "-U", "presage"]
        subprocess.run([*make, "-A", "trust", "--no-sync"], check=True, **self._run)
        self._server: subprocess.Popen[Any] | None = None
        self.start()

    def url(self, database: str = "postgres") -> str:
        """The URL of a database, for SQLAlchemy."""
        return f"postgresql+psycopg://presage@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = ["-k", str(self.folder), "-c", "listen_addresses=", "-c", "fsync=off"]
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *options]
        server = self._server = subprocess.Popen(command, **self._run)
        engine = sa.create_engine(self.url())
        until = time.monotonic() + START_SECONDS
        try:
            while True:
                try:
                    engine.connect().close()
                    return
                except sa.exc.OperationalError:
                    if server.poll() is not None or time.monotonic() > until:
                        raise RuntimeError("PostgreSQL did not start") from None
                    time.sleep(0.1)
        finally:
            engine.dispose()

    def create(self, database: str) -> str:
        """The URL of a new database."""
        engine = sa.create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {database}"))
        engine.dispose()
        return self.url(database)

    def stop(self) -> None:
        """Stop the server, whoever is connected."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # by SIGTERM it waits until all clients go
            self._server.wait()
            self._server = None

    def end(self) -> None:
        """Stop it and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
