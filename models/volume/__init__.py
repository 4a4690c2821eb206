"""How many contacts, per channel, topic and interval, with honest intervals."""
