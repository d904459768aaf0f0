"""An attacker who does everything at once, beside customers whose calls are measured."""
