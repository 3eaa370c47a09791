"""What sealing, verifying and keeping activities in files costs."""
