"""Curating a data set: drop or keep rows by rules, here and on the machine alike. `curate.curate` is the way in."""
