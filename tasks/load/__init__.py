"""Making it so: a Plan is written to Replicon exactly once and becomes Outcomes."""
