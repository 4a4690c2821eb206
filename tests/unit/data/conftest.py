"""A real PostgreSQL for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.postgres import Postgres, binaries


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of our own."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/initdb)")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    server = Postgres()
    try:
        yield server
    finally:
        server.end()
