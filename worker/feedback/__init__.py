"""What comes back is kept raw, read, matched: reports, replies, pushes; applications are told."""
