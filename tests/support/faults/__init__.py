"""What the fault suite stands on: servers of its own, processes to kill, a proxy that cuts."""
