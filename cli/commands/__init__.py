"""One command per file, each a few lines: what to do is in `runs`, how it looks is in `cli`."""
