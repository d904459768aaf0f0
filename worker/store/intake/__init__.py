"""The statements of `worker.intake`."""
