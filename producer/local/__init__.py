"""Run everything on one machine: processes, the embedded server for the broker, the demo."""
