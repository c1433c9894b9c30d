"""Rule sets that are shipped."""
