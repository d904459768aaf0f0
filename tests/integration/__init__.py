"""Real processes, real brokers: what threads in one process cannot show."""
