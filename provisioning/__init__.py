"""What exists in the cloud, and how to undo it."""
