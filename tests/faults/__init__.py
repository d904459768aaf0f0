"""The fault suite: what is promised, while everything that can break breaks."""
