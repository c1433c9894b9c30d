"""Curating from this side: rule files as people write them, and data sets that lie on the Hub."""
