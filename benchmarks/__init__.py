"""Every figure that a document claims, as a command that prints it: ``python -m benchmarks.NAME``,
started in the project's folder."""
