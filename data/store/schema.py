"""The store's tables, as SQLAlchemy Core; data/migrations/ brings a database to this shape.

Times are naive UTC. What says what happened (events, consent, decisions, outcomes, registry
history, erasures) only grows. A decision's text is kept beside the log and may be forgotten: the
log itself holds only its salted hash, so it stays whole when a person is erased.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _seq() -> Column[int]:
    return Column("seq", Integer, primary_key=True, autoincrement=True)


EVENTS = Table(
    "events",
    METADATA,
    _seq(),
    Column("table_name", String(40), nullable=False),
    Column("key", Text, nullable=False),
    Column("customer_id", Text),
    Column("payload", Text, nullable=False),
    Column("recorded_at", DateTime, nullable=False),
    Index("ix_events_table_name_key", "table_name", "key"),
    Index("ix_events_customer_id", "customer_id"),
    sqlite_autoincrement=True,
)

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("scope", String(120), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("request_sha256", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("response", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
)

CONSENT = Table(
    "consent",
    METADATA,
    _seq(),
    Column("customer_id", Text, nullable=False),
    Column("channel", String(80), nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("source", Text, nullable=False),
    Column("recorded_at", DateTime, nullable=False),
    Index("ix_consent_customer_id", "customer_id"),
    sqlite_autoincrement=True,
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
    Column("expires_at", DateTime),
)

PREDICTIONS = Table(
    "predictions",
    METADATA,
    _seq(),
    Column("customer_id", Text, nullable=False),
    Column("as_of", DateTime, nullable=False),
    Column("issued_at", DateTime, nullable=False),
    Column("model_version", String(80), nullable=False),
    Column("payload", JSON, nullable=False),
    Index("ix_predictions_customer_id_as_of", "customer_id", "as_of"),
    sqlite_autoincrement=True,
)

PUBLICATIONS = Table(
    "publications",
    METADATA,
    _seq(),
    Column("kind", String(20), nullable=False),
    Column("as_of", DateTime, nullable=False),
    Column("issued_at", DateTime, nullable=False),
    Column("model_version", String(80), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("meta", JSON, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("ix_publications_kind_issued_at", "kind", "issued_at"),
    sqlite_autoincrement=True,
)

DECISIONS = Table(
    "decisions",
    METADATA,
    _seq(),
    Column("recorded_at", DateTime, nullable=False),
    Column("payload_sha256", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("form", Integer, nullable=False, server_default="1"),
    Column("kind", String(20), nullable=False, server_default="decision"),
    Column("subject", String(64)),
    Column("note", Text),
)
Index(
    "ix_decisions_notes",
    DECISIONS.c.kind,
    sqlite_where=DECISIONS.c.note.is_not(None),
    postgresql_where=DECISIONS.c.note.is_not(None),
)

DECISION_TEXTS = Table(
    "decision_texts",
    METADATA,
    Column("seq", Integer, ForeignKey(DECISIONS.c.seq), primary_key=True, autoincrement=False),
    Column("decision_id", String(120), nullable=False, unique=True),
    Column("run_id", String(80), nullable=False),
    Column("customer_id", Text),
    Column("salt", String(32), nullable=False),
    Column("payload", Text, nullable=False),
    Index("ix_decision_texts_run_id", "run_id"),
    Index("ix_decision_texts_customer_id", "customer_id"),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    _seq(),
    Column("decision_id", String(120), nullable=False, unique=True),
    Column("customer_id", Text, nullable=False),
    Column("channel", String(80), nullable=False),
    Column("action", String(120), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("status", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", DateTime, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("updated_at", DateTime, nullable=False),
    Column("note", Text),
    Column("queued_at", DateTime),
    Column("body", LargeBinary),
    Column("token", Integer, nullable=False, server_default="0"),
    Column("holder", Text),
    Column("contacted_at", DateTime),
    Column("settled_at", DateTime),
    Column("handed_out", Integer),
    Index("ix_outbox_status_next_attempt_at", "status", "next_attempt_at"),
    Index("ix_outbox_customer_id", "customer_id"),
    Index("ix_outbox_contacted_at", "contacted_at"),
    Index("ix_outbox_handed_out", "handed_out", unique=True),
    sqlite_autoincrement=True,
)

ENDPOINTS = Table(
    "endpoints",
    METADATA,
    Column("url", Text, primary_key=True),
    Column("disabled_at", DateTime),
    Column("note", Text),
)

OUTCOMES = Table(
    "outcomes",
    METADATA,
    _seq(),
    Column("decision_id", String(120), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("note", Text),
    Column("recorded_at", DateTime, nullable=False),
    Column("repeats", Integer, nullable=False, server_default="0"),
    UniqueConstraint("decision_id", "outcome", "at"),
    sqlite_autoincrement=True,
)

OVERRIDES = Table(
    "overrides",
    METADATA,
    _seq(),
    Column("unique_id", Text, nullable=False),
    Column("starts_at", DateTime, nullable=False),
    Column("ends_at", DateTime, nullable=False),
    Column("factor", Float),
    Column("value", Float),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime),
    Column("withdrawn_at", DateTime),
    Column("withdrawn_by", Text),
    sqlite_autoincrement=True,
)

SCENARIOS = Table(
    "scenarios",
    METADATA,
    _seq(),
    Column("name", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("published_at", DateTime),
    sqlite_autoincrement=True,
)

REGISTRY_HISTORY = Table(
    "registry_history",
    METADATA,
    _seq(),
    Column("model", String(80), nullable=False),
    Column("version", String(80), nullable=False),
    Column("event", String(40), nullable=False),
    Column("author", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("recorded_at", DateTime, nullable=False),
    sqlite_autoincrement=True,
)

LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(80), primary_key=True),
    Column("token", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("expires_at", DateTime, nullable=False),
)

FACTS = Table(
    "facts",
    METADATA,
    Column("name", String(80), primary_key=True),
    Column("value", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
)

ERASURES = Table(
    "erasures",
    METADATA,
    _seq(),
    Column("customer_sha256", String(64), nullable=False),
    Column("proof", JSON, nullable=False),
    Column("recorded_at", DateTime, nullable=False),
    sqlite_autoincrement=True,
)
