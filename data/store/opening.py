"""Open the store: SQLite beside the tables by default, PostgreSQL by URL, brought up to date.

SQLite runs in WAL mode with full synchronisation: what a caller was told is kept. A write
transaction takes the write lock when it begins, so that read-then-write is one step.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from data.artifacts import FILES, refuse_gone, remember
from data.errors import DamagedFile, PresageError, SettingsError, StorageFailure, mend_of
from data.folder import Folder
from data.store.secrets import FILE as SECRETS
from data.turns import OnceATurn
from data.urls import without_password

log = logging.getLogger("presage.store")

FILE = "store.db"
HEADER_BYTES = 100
"""Of SQLite's file: the size of a page is at 16, their number at 28 (sqlite.org/fileformat2)."""
BUSY_SECONDS = 30
MIGRATIONS = Path(__file__).parents[1] / "migrations"
MIGRATION_LOCK = 7_306_051
WRITE_LOCK = 7_306_052


@dataclass
class Unit:
    """Work that is one transaction: begun by its first write, ended with its block.

    ``outer``: the unit that it is part of; it is kept with that, and undone alone (a savepoint).
    """

    engine: sa.Engine
    first: Callable[[sa.Connection], None]
    outer: Unit | None = None
    connection: sa.Connection | None = None
    ending: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)


_UNIT: ContextVar[Unit | None] = ContextVar("unit", default=None)
"""The unit that this thread or task is in."""


OUTAGE_SECONDS = 1.0
"""So long a database that could not be reached is not tried again: whoever can do without it goes
on at once."""
CONNECT_SECONDS = 3
"""So long a PostgreSQL may take to let somebody in, unless the URL says otherwise."""


class _Outage:
    """Since when, and why, the database cannot be reached."""

    def __init__(self) -> None:
        self.reason, self._until = "", -math.inf

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self._until

    def note(self, reason: str) -> None:
        self.reason, self._until = reason, time.monotonic() + OUTAGE_SECONDS


class _Written(threading.local):
    """The databases that this thread has a write transaction of; not of a context, for a post may
    begin the transaction in which a thread keeps others too."""

    urls: frozenset[sa.URL] = frozenset()


_WRITTEN = _Written()


@dataclass(frozen=True)
class Store:
    """An open store; close it, or use it as a context manager.

    ``folder``: the workspace whose store it is, None for one that was opened by its URL alone.
    """

    engine: sa.Engine
    folder: Folder | None = None
    _outage: _Outage = field(default_factory=_Outage, compare=False)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that reads one consistent state, within a unit what it wrote too."""
        unit = self._unit()
        while unit is not None and unit.connection is None:
            unit = unit.outer
        if unit is not None and unit.connection is not None:
            yield unit.connection
            return
        with self._named(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Failures of the database remember which one it is (``data.errors.in_words``).
        StorageFailure where a server cannot be reached."""
        url = self.engine.url
        if self._outage.goes_on:
            raise StorageFailure(self._outage.reason)
        try:
            yield
        except sa.exc.DBAPIError as error:
            if not self.is_sqlite and _unreached(error):
                where = without_password(url.render_as_string())
                reason = str(error.orig).strip().splitlines()[0]
                self._outage.note(
                    f"the store {where} cannot be reached: {reason}; is it running, and is [store] "
                    "url right?"
                )
                log.warning("%s", self._outage.reason)
                raise StorageFailure(self._outage.reason) from None
            if not hasattr(error, "presage_file"):
                error.presage_file = url.database  # type: ignore[attr-defined]
            raise

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that no other writer overlaps; durable when the block has ended, within a
        unit when that has. StorageFailure where another writer does not end in time.
        """
        unit = self._unit()
        if unit is None:
            with self._write() as connection:
                yield connection
        else:
            yield self._begun(unit)

    def _begun(self, unit: Unit) -> sa.Connection:
        """The unit's transaction, begun where it is not."""
        if unit.connection is None:
            if unit.outer is None:
                unit.connection = unit.ending.enter_context(self._write())
            else:
                connection = self._begun(unit.outer)
                unit.ending.enter_context(connection.begin_nested())
                unit.connection = connection
            unit.first(unit.connection)
        return unit.connection

    @contextlib.contextmanager
    def together(
        self, first: Callable[[sa.Connection], None] = lambda _: None, outer: Unit | None = None
    ) -> Iterator[Unit]:
        """All writes of the block as one transaction, kept whole or not at all.

        ``first`` is called in it before the first write; without a write nothing begins, and the
        unit's ``connection`` is None at the end. ``outer``: a unit of this thread that this one is
        part of; by default the one that the block is in.
        """
        unit = Unit(self.engine, first, outer or self._unit())
        with unit.ending:
            token = _UNIT.set(unit)
            try:
                yield unit
            finally:
                _UNIT.reset(token)

    @property
    def is_being_written(self) -> bool:
        """Whether this thread is in a write transaction of the database, however it was
        opened: another one would wait for its end."""
        return self.engine.url in _WRITTEN.urls

    def _unit(self) -> Unit | None:
        unit = _UNIT.get()
        return unit if unit is not None and unit.engine is self.engine else None

    @contextlib.contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._named())
            try:
                begun = self.engine.execution_options(presage_write=True).begin()
                connection = stack.enter_context(begun)
                if not self.is_sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITE_LOCK)))
            except sa.exc.OperationalError as error:
                if not self.is_sqlite:
                    raise
                reason = str(error.orig).splitlines()[0]
                raise StorageFailure(f"the store cannot be written now: {reason}") from None
            before = _WRITTEN.urls
            _WRITTEN.urls = before | {self.engine.url}
            try:
                yield connection
            finally:
                _WRITTEN.urls = before

    def changes(self) -> int | None:
        """A number that is another one once somebody has written; None where the database has none
        (PostgreSQL). It costs microseconds: what was read stays true as long as it is the same.
        """
        watch = self._watch
        return None if watch is None else int(watch.execute("PRAGMA data_version").fetchone()[0])

    @functools.cached_property
    def changes_this_turn(self) -> OnceATurn[int | None]:
        """``changes``, looked up once for all that the event loop answers in one turn."""
        return OnceATurn(self.changes)

    def last_event(self) -> int:
        """The number of the event posted last, in microseconds; SQLite only (see ``changes``)."""
        assert self._watch is not None
        row = self._watch.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
        ).fetchone()
        return 0 if row is None else int(row[0])

    def keys_stamp(self) -> tuple[Any, ...]:
        """Another value once a key was made, revoked or given an end; in microseconds, SQLite only
        (see ``changes``)."""
        assert self._watch is not None
        query = "SELECT count(*), count(revoked_at), count(expires_at), max(expires_at)"
        counts: tuple[Any, ...] = self._watch.execute(f"{query} FROM api_keys").fetchone()
        return counts

    @functools.cached_property
    def _watch(self) -> sqlite3.Connection | None:
        """A connection that never writes, so that every write is somebody else's."""
        if not self.is_sqlite or not self.engine.url.database:
            return None
        return sqlite3.connect(
            self.engine.url.database, timeout=BUSY_SECONDS, check_same_thread=False
        )

    def close(self) -> None:
        if self.__dict__.get("_watch") is not None:
            self.__dict__.pop("_watch").close()
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _unreached(error: sa.exc.DBAPIError) -> bool:
    """Whether a server is not there, or went away: it says so (08..., 57P...), or says nothing."""
    state = getattr(error.orig, "sqlstate", None)
    gone = state is None and isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
    return error.connection_invalidated or gone or str(state).startswith(("08", "57P"))


def has_store(workspace: Folder) -> bool:
    """Whether there is a store to read; PostgreSQL is taken to be there."""
    return bool(workspace.settings.store.url) or (workspace.state_dir / FILE).exists()


def open_workspace(workspace: Folder) -> Store:
    """The workspace's store, created or migrated if need be; ``open_store`` seals its log too.

    Raises SettingsError for a URL that cannot be used, PresageError if the database cannot be
    opened or was written by a newer Presage, DamagedFile if its file is gone or was cut.
    """
    url = workspace.settings.store.url
    if not url:
        workspace.state_dir.mkdir(mode=0o700, exist_ok=True)
        file = workspace.state_dir / FILE
        refuse_gone(file)
        _refuse_what_was_cut(file)
        store = open_url(f"sqlite:///{file}", workspace)
        for one in (file, workspace.state_dir / SECRETS):
            if one.exists():
                remember(workspace.state_dir, one.name, FILES)
        return store
    return open_url(url, workspace)


def _refuse_what_was_cut(file: Path) -> None:
    """DamagedFile where a file of SQLite is shorter than its own header says: SQLite notices when
    it reads a page that is not there, and writes to others before. What is missing may stand in
    the log beside it."""
    if not file.exists():
        return
    with file.open("rb") as content:
        header = content.read(HEADER_BYTES)
    size, log_beside = file.stat().st_size, file.with_name(f"{file.name}-wal")
    page = int.from_bytes(header[16:18], "big")
    bytes_of_all = (65_536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    is_cut = header.startswith(b"SQLite format 3") and size < max(bytes_of_all, HEADER_BYTES)
    if is_cut and not (log_beside.exists() and log_beside.stat().st_size):
        raise DamagedFile(
            f"{file} was cut short to {size} bytes, of {bytes_of_all}. Bring it back from a backup"
        )


def open_url(url: str, folder: Folder | None = None) -> Store:
    """The store at an SQLAlchemy URL, see ``open_workspace``."""
    engine = _engine(url)
    try:
        _upgrade(engine)
    except sa.exc.DBAPIError as error:
        engine.dispose()
        reason = str(error.orig).splitlines()[0]
        where = without_password(engine.url.render_as_string())
        mend = mend_of(reason)
        more = "" if mend is None else f"; {mend}"
        raise PresageError(f"the store {where} cannot be opened: {reason}{more}") from None
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, folder)


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise SettingsError(f"[store] url {without_password(url)!r} is no database URL") from None
    if "@" in (parsed.host or ""):  # whoever fails to reach that host would show its first half
        raise SettingsError("[store] url has several @; write one in a name or password as %40")
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() != "postgresql":
        raise SettingsError(
            f"[store] url starts with {parsed.drivername}; there are sqlite and postgresql"
        )
    try:
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args={"options": "-c timezone=UTC"}
            | ({} if "connect_timeout" in parsed.query else {"connect_timeout": CONNECT_SECONDS}),
        )
    except ModuleNotFoundError:
        raise SettingsError(
            "[store] url names PostgreSQL, whose driver is not installed: "
            "pip install 'presage[postgres]'"
        ) from None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    for pragma in (
        f"busy_timeout = {BUSY_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("presage_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _newest(engine: sa.Engine) -> bool:
    """Whether the database is of the newest revision: its file is called ``m0005_notes.py``."""
    head = max(path.name for path in (MIGRATIONS / "versions").glob("m*.py"))[1:5]
    with engine.begin() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return False
        rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        return [tuple(row) for row in rows] == [(head,)]


def _upgrade(engine: sa.Engine) -> None:
    """Bring the database to the newest revision, one process at a time."""
    if _newest(engine):
        return  # Alembic takes longer to import than all else here takes
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    with engine.begin() as connection:
        now = MigrationContext.configure(connection).get_current_revision()
    if now == head:
        return
    if now is not None and now not in {r.revision for r in script.walk_revisions()}:
        raise PresageError(
            f"the store is at revision {now}, which this Presage does not know (its newest is "
            f"{head}): a newer Presage has written it. Use that one, or restore a backup"
        )
    with engine.execution_options(presage_write=True).begin() as connection:
        if engine.dialect.name != "sqlite":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))

        def revisions(current: Any, _context: object) -> Any:
            return script._upgrade_revs("head", current)

        with EnvironmentContext(config, script, fn=revisions) as environment:
            environment.configure(connection=connection)
            environment.run_migrations()


@contextlib.contextmanager
def without_waiting() -> Iterator[None]:
    """SQLite connections opened in the block do not wait for the disk: for a new file that nobody
    reads before it is synced and renamed."""

    def no_wait(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    sa.event.listen(sa.Pool, "connect", no_wait)
    try:
        yield
    finally:
        sa.event.remove(sa.Pool, "connect", no_wait)
