"""The HTTP API: one module for each noun, each with a `router`; what comes in and out is in schemas."""
