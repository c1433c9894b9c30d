"""Tells the user when a run is done, has failed, or has spent much of its dollars. Never stops a run."""
