"""Processes that must not outlive the one that started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
import time

PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def end_with_parent(parent: int | None = None) -> None:
    """Let the kernel (Linux) end this process when its parent is gone, however that ended.

    ``parent``: its process id, where it may be gone already; then this process ends at once.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def leave_without_parent(parent: int, grace_seconds: float) -> None:
    """End this process so many seconds after its parent is gone, whatever it is still at.

    A process that was asked to end finishes what it does first, which may take for ever.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(min(grace_seconds, 1.0))
        time.sleep(grace_seconds)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="leave-without-parent").start()
