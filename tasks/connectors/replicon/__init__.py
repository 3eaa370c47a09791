"""Replicon's Gen3 web services: finding the tenant, reading accounts, writing them, and what can go wrong."""
