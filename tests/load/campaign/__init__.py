"""The crash campaign: whole cycles killed at random instants under random faults, and what must be true in the end."""
