"""What comes back is kept raw, read and matched: reports, replies, pushes; applications are told."""
