"""Instruction data that ships with llamalift; README.md says what it is."""
