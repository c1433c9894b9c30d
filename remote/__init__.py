"""What happens on the machine, over SSH."""
