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
    CONTACT,
    EVERY_CHANNEL,
    Word,
    put_consent,
    words_in,
)
from data.store.decision_log import (
    LogState,
    append_note,
    notes_in,
    notes_of,
    open_store,
    renew_head,
    verify_log,
)
from data.store.decisions import (
    actions_of,
    append_decisions,
    decisions_of,
    outcome_counts,
    outcomes_of,
    record_outcome,
)
from data.store.erasures import (
    NOBODY,
    Erased,
    erased_in_workspace,
    erased_of,
    erasure_of,
    record_erasure,
)
from data.store.events import (
    Appended,
    Event,
    SetAside,
    append_events,
    completed_rows,
    customer_rows_in,
    event_frames,
    events_since,
    readable,
    row_key,
    text_frame,
)
from data.store.expiry import (
    expire_decisions,
    expired_among,
    refuse_waiting,
)
from data.store.handing_out import (
    ahead,
    hand_out,
)
from data.store.keys import (
    READ_TEXT,
    SCOPES,
    ApiKey,
    create_key,
    list_keys,
    revoke_key,
    rotate_key,
    verify_key,
)
from data.store.leases import (
    check_lease,
    keeping_leases,
    lease_holder,
    release_lease,
    renew_lease,
    salt,
    take_lease,
)
from data.store.messages import (
    Judge,
    Limits,
    Message,
    Verdict,
    contacted_since,
    contacts,
    message_counts,
    messages_of,
    next_due,
    preview,
    underway,
    unwelcome_in,
)
from data.store.opening import (
    Store,
    Unit,
    has_store,
    open_url,
    without_waiting,
)
from data.store.outbox import (
    Claim,
    claim,
    disable_endpoint,
    disabled_since,
    enable_endpoint,
    record_delivery,
    record_failure,
    replay,
)
from data.store.overrides import (
    Override,
    overrides_of,
    save_override,
    withdraw_override,
)
from data.store.publications import (
    Publication,
    publication,
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
    first_time,
)
from data.store.scenarios import (
    Scenario,
    mark_published,
    save_scenario,
    scenarios_of,
)
from data.store.secrets import (
    put_secret,
    read_secret,
)
from data.store.selected import (
    count_of_run,
    decisions_of_runs,
    newest_run,
    runs_of,
    selected_decisions,
)

__all__ = [
    "CONTACT",
    "EVERY_CHANNEL",
    "NOBODY",
    "ApiKey",
    "Appended",
    "Claim",
    "Erased",
    "Event",
    "Judge",
    "Limits",
    "LogState",
    "Message",
    "OtherRequest",
    "Override",
    "Publication",
    "READ_TEXT",
    "SCOPES",
    "Scenario",
    "SetAside",
    "Store",
    "Unit",
    "Verdict",
    "Word",
    "actions_of",
    "ahead",
    "answer_once",
    "first_time",
    "append_decisions",
    "append_events",
    "append_note",
    "check_lease",
    "claim",
    "completed_rows",
    "contacted_since",
    "contacts",
    "count_of_run",
    "create_key",
    "customer_rows_in",
    "decisions_of",
    "disable_endpoint",
    "disabled_since",
    "enable_endpoint",
    "erased_in_workspace",
    "erased_of",
    "erasure_of",
    "decisions_of_runs",
    "event_frames",
    "events_since",
    "expire_decisions",
    "expired_among",
    "hand_out",
    "has_store",
    "keeping_leases",
    "lease_holder",
    "list_keys",
    "newest_run",
    "message_counts",
    "mark_published",
    "messages_of",
    "next_due",
    "notes_in",
    "notes_of",
    "open_store",
    "open_url",
    "outcome_counts",
    "outcomes_of",
    "overrides_of",
    "preview",
    "publication",
    "publications",
    "publish_frame",
    "put_consent",
    "put_secret",
    "read_forecast",
    "read_publication",
    "read_secret",
    "record_delivery",
    "record_erasure",
    "record_failure",
    "readable",
    "record_outcome",
    "registry_event",
    "registry_history",
    "release_lease",
    "renew_head",
    "renew_lease",
    "replay",
    "revoke_key",
    "rotate_key",
    "row_key",
    "runs_of",
    "salt",
    "save_forecast",
    "save_override",
    "save_scenario",
    "scenarios_of",
    "refuse_waiting",
    "selected_decisions",
    "take_lease",
    "text_frame",
    "underway",
    "unwelcome_in",
    "verify_key",
    "verify_log",
    "withdraw_override",
    "words_in",
    "without_waiting",
]
