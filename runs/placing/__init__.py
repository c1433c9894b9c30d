"""Finding a place for the run's machine: what to try, what each failure means, when to try again."""
