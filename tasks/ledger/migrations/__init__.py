"""The ledger's schema, step by step; `database.py` runs the steps when a ledger is opened."""
