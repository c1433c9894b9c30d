"""What we send to the machine. Leaf: imports nothing of ours."""
