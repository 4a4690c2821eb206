"""What each call does, one file a subject: plain functions ``(desk, call) -> Answer``."""
