"""What tests stand on: servers, stages, gateways that fail on command; no test is here."""
