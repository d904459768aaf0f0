"""The house: words, policy, gateways, tables, use cases and the Celery app."""
