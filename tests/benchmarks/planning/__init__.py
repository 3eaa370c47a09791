"""Planning a large directory against a large target, beside a bare merge and comparison in pandas."""
