"""A run as a page to send to somebody: HTML in one file, Markdown, and a picture of the loss curve."""
