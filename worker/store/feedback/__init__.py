"""The statements of `worker.feedback`."""
