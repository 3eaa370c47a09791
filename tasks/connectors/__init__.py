"""The outside world: wire formats and manners, nothing of plans."""
