"""What comes back: reports, replies and pushes are kept raw, read, matched; applications are told."""
