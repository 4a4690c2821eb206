"""Every shape that the store has had, in order; run by data/store/opening.py, never by hand."""
