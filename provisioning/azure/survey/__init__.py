"""Asks Azure, before anything is created, what a run will meet: sizes, limits, prices, rights."""
