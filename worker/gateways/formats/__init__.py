"""Helpers that adapters share: forms, JSON and XML as gateways write them, useless answers."""
