"""What commands answer with `--json`: which command gives what, and its JSON Schema, made from the code's own types."""
