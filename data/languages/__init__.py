"""The languages that are written to people: a gettext catalogue each, `es.po` for Spanish."""
