"""What the control plane runs on a machine that is adopted."""
