"""The truth about a run, on its machine: holds the limits, runs the steps, says how things stand. No dependencies."""
