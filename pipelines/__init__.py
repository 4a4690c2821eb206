"""When it runs: steps, the flows over them, the wiring and the command line."""
