"""Laws of the configuration."""
