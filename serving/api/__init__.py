"""The HTTP interface: routes as values, from which routing, checks and OpenAPI are derived."""
