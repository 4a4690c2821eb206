"""What answering needs: the workspace, its store, a clock, the live predictions, and the gate that
says whether a decision may still leave; the bulk jobs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime

from data.clock import SYSTEM, Clock
from data.errors import NotEnoughHistory, StorageFailure
from data.store import Store, salt
from data.workspace import Workspace
from serving.audit import FOLDER as AUDIT
from serving.audit import AuditLog
from serving.day_log import drop_old
from serving.jobs.answers import SincePosted
from serving.jobs.job import FOLDER as JOBS
from serving.jobs.runner import Runner
from serving.live import Live
from serving.memory import Memory
from serving.monitoring.finding import Finding
from serving.monitoring.nights import leases_held, night_findings
from serving.outreach.people import People
from serving.outreach.still_allowed import Gate
from serving.posts import Posts
from serving.prediction_log import FOLDER, PredictionLog
from serving.published import VERBS, Kind, Published, newest, pointer


@dataclass(frozen=True)
class Desk:
    """One workspace, opened to be asked; ``live`` holds what is asked often in memory,
    ``posts`` keeps what is
    posted, ``plans`` the plans made again since, ``jobs`` works on bulk jobs."""

    workspace: Workspace
    store: Store
    clock: Clock
    live: Live
    gate: Gate
    jobs: Runner
    posts: Posts
    audit: AuditLog
    plans: Memory = field(default_factory=Memory)
    jobs_lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while a job is kept, so that limits on their number hold."""

    @classmethod
    def of(cls, workspace: Workspace, store: Store, clock: Clock) -> Desk:
        """A desk on an open store."""
        secret = bytes.fromhex(salt(store, clock.now()))
        gate = Gate(People(workspace), workspace.settings, secret)
        keep_days = workspace.settings.api.prediction_log_days
        for folder, days in ((FOLDER, keep_days), (AUDIT, workspace.settings.api.audit_days)):
            drop_old(workspace.state_dir / folder, clock.now(), days)
        log = PredictionLog(workspace.state_dir, secret, keep_days)
        audit = AuditLog(workspace.state_dir, secret, workspace.settings.api.audit_days)
        live = Live(workspace, store, clock, log=log)
        jobs = Runner(
            workspace.state_dir / JOBS,
            workspace.state_dir / "published",
            clock,
            workspace.settings.retention.jobs_days,
            SincePosted(live),
            lambda: ((night := live.night()).published, night.rows),
            lambda *request: audit.add([request], clock.now()),
        )
        return cls(workspace, store, clock, live, gate, jobs, Posts(store, live), audit)

    def close(self) -> None:
        """Write what is to be kept, and let the store go."""
        self.jobs.close()
        if self.live.log is not None:
            self.live.log.close()
        self.audit.close()
        self.store.close()

    def now(self) -> datetime:
        """The time by the desk's clock (naive UTC)."""
        return self.clock.now()

    def night_findings(self) -> list[Finding]:
        """Runs that are stuck, slow, late or failed, by the machine's clock: runs have no other.
        Where the store cannot be reached, that alone."""
        now = SYSTEM.now()
        limits = self.workspace.settings.nights
        try:
            held = leases_held(self.store, now)
        except StorageFailure:  # its words name a place of the machine
            text = "the store cannot be reached: scores are told as last known, posts refused"
            act = "start the database, or mend [store] url; the service's log has the reason"
            return [Finding("service", "store", "alarm", text, act)]
        return night_findings(self.workspace.state_dir, limits, held, now)

    def published(self, kind: Kind) -> Published:
        """The newest published result; NotEnoughHistory names the verb that makes one."""
        about = pointer(self.workspace.state_dir, kind)
        if about is None:
            raise NotEnoughHistory(f"no {kind} is published yet; run `{VERBS[kind]}`")
        published = self.live.published
        if kind not in published or published[kind].about != about:
            publication = newest(self.workspace.state_dir, kind)
            assert publication is not None
            published[kind] = publication
        return published[kind]
