"""What carries a request to a gateway and its answer back; nothing else reaches the network."""
