"""What the machine fetches itself, from the web, blob storage or git."""

GIT_SECRET_VARIABLE = "LLAMALIFT_GIT_TOKEN"  # noqa: S105 - its name
"""The environment variable that git's helper answers with when a server asks who is there."""
