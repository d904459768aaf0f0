"""An upgrade: what the version before left is taken up by this one, and goes on."""
