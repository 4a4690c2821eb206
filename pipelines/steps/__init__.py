"""All that a flow does, as plain functions: callable without Prefect, handing on paths."""
