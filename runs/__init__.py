"""One run: what it asks for, where it stands, how it goes on."""
