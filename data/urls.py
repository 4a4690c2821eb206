"""A URL as it may be shown: without the password in it."""

from __future__ import annotations

import re

# up to the last @, for a password may hold / and @; a query's names as drivers spell them
USER = re.compile(r"(//[^/@:?#]*):.*@")
QUERY = re.compile(r"([?&;][^=&;#]*(?:pass|pwd|secret|token|key)[^=&;#]*=)[^&;#]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """The URL with ``***`` for each password, before the host or in the query.

    >>> without_password("postgresql://reader:se/cr@t@db/help?sslpassword=x&port=5")
    'postgresql://reader:***@db/help?sslpassword=***&port=5'
    """
    return QUERY.sub(r"\1***", USER.sub(r"\1:***@", url))
