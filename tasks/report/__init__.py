"""Telling it: Outcomes become activities, artifacts, a run state and pages that people read."""
