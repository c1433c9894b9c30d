"""The run file: what a run asks for. `load.load_run_file` reads one, `run_file.RunFile` is what it says."""
