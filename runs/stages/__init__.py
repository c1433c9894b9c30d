"""The stages of a run. Each observes, acts on the difference, and records; so each may run again after a kill."""
