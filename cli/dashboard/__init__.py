"""The dashboard: a read-only page of all runs, on loopback, for whoever started it.

It is presentation: what is shown comes from `runs`, and every effect on the outside is a question over SSH.
"""
