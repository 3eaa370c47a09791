"""The stages of a provisioning cycle, the connectors and the ledger."""
