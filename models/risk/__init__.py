"""When a customer will complain, about what, through which channel, and why."""
