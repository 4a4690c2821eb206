"""Every call of the API, once: the routes from which matching, checks and OpenAPI are made.

>>> sorted({route.scope for route in CALLS if route.scope})
['customers', 'events', 'forecasts', 'outreach', 'plan', 'score']
"""

from __future__ import annotations
