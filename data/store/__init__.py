"""Our own state, by subject: what was posted, decided, sent, foretold, promised and forgotten.

Every function takes an open store first, and time as an argument. SQLite beside the tables by
default, PostgreSQL by ``[store] url``; the same code runs on both.

>>> import tempfile
>>> from datetime import datetime
>>> from data.workspace import init
>>> with tempfile.TemporaryDirectory() as folder, open_store(init(folder)) as store:
...     now = datetime(2026, 3, 1)
...     order = {"order_id": "1", "ordered_at": "2026-02-28T12:00:00", "customer_id": "c"}
...     append_events(store, {"orders": [order]}, now)
...     append_events(store, {"orders": [order]}, now)
...     [(event.table, event.key) for event in events_since(store, 0)]
Appended(accepted=1, repeated=0, last_seq=1)
Appended(accepted=0, repeated=1, last_seq=1)
[('orders', ('1',))]
"""

from __future__ import annotations

from data.store.consent import (
    consent_of,
    consent_words,
    put_consent,
)
from data.store.decisions import (
    LogState,
    actions_of,
    append_decisions,
    decisions_of,
    outcomes_of,
    record_outcome,
    verify_log,
)
from data.store.events import (
    Appended,
    Event,
    SetAside,
    append_events,
    completed_rows,
    event_frames,
    events_since,
    readable,
    row_key,
    text_frame,
)
from data.store.keys import (
    SCOPES,
    ApiKey,
    create_key,
    list_keys,
    revoke_key,
    verify_key,
)
from data.store.leases import (
    check_lease,
    lease_holder,
    release_lease,
    renew_lease,
    salt,
    take_lease,
)
from data.store.opening import (
    Store,
    has_store,
    open_store,
    open_url,
)
from data.store.overrides import (
    Override,
    overrides_of,
    save_override,
)
from data.store.publications import (
    Publication,
    publications,
    publish_frame,
    read_forecast,
    read_publication,
    registry_event,
    registry_history,
    save_forecast,
)
from data.store.replies import (
    OtherRequest,
    answer_once,
)
from data.store.secrets import (
    put_secret,
    read_secret,
)
from data.store.selected import (
    decisions_of_runs,
    newest_run,
    selected_decisions,
)

__all__ = [
    "ApiKey",
    "Appended",
    "Event",
    "LogState",
    "OtherRequest",
    "Override",
    "Publication",
    "SCOPES",
    "SetAside",
    "Store",
    "actions_of",
    "answer_once",
    "append_decisions",
    "append_events",
    "check_lease",
    "completed_rows",
    "consent_of",
    "consent_words",
    "create_key",
    "decisions_of",
    "decisions_of_runs",
    "event_frames",
    "events_since",
    "has_store",
    "lease_holder",
    "list_keys",
    "newest_run",
    "open_store",
    "open_url",
    "outcomes_of",
    "overrides_of",
    "publications",
    "publish_frame",
    "put_consent",
    "put_secret",
    "read_forecast",
    "read_publication",
    "read_secret",
    "readable",
    "record_outcome",
    "registry_event",
    "registry_history",
    "release_lease",
    "renew_lease",
    "revoke_key",
    "row_key",
    "salt",
    "save_forecast",
    "save_override",
    "selected_decisions",
    "take_lease",
    "text_frame",
    "verify_key",
    "verify_log",
]
