"""Deployments, job files, mappings and the sandbox."""
