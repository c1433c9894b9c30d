"""Run files to start from, each with `llamalift init --recipe NAME`."""
