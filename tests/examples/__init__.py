"""The example applications: an order and its text commit together, or not at all."""
