"""Carries requests to gateways and their answers back; nothing else reaches the network."""
