"""What adapters share: forms, JSON and XML as gateways write them, and what is no answer at all."""
