"""Proactive outreach: whom, for what, through which channel, and who is left alone on purpose."""
