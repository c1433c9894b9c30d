"""The far end of a transfer: a program that the client hands to the machine's own `python3`."""
