"""The statements of `worker.delivery`."""
