"""The truth about a run, on its machine: holds the limits, runs the steps, answers one question. Standard library only."""
