"""Azure through its own SDKs. Nothing outside this package imports them."""
