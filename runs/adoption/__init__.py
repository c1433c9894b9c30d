"""A run from another computer, or after this one lost its state folder: known again from the cloud and the machine."""
