"""What nobody looks at every night: sources, inputs, live calibration, forecasts, key figures."""
