"""What stands for a customer where their id must not: in logs, and in the ids of decisions.

An erasure looks for both, so they are made in one place.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache


@lru_cache(maxsize=4096)  # a page that is open asks for the same customer again and again
def pseudonym(salt: bytes, customer_id: str) -> str:
    """What stands for a customer in logs: a keyed hash of 32 hexadecimal digits, the same for the
    same customer. ``salt``: the store's (``data.store.salt``)."""
    name = customer_id.encode("utf-8", "surrogatepass")
    return hmac.digest(salt, name, "sha256").hex()[:32]


def decision_code(customer_id: str) -> str:
    """What stands for a customer in the ids of decisions: 20 hexadecimal digits, not keyed."""
    return hashlib.sha256(customer_id.encode()).hexdigest()[:20]
