"""The only layer that prints."""
