"""The statements of `worker.settlement`."""
