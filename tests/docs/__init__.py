"""The documents are tested: what they say stands in the code, and what they show works."""
