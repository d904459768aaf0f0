"""Stores, reads and matches what gateways send back, and composes what applications are told."""
