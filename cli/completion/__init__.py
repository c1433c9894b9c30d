"""Completion of commands, options and run ids in bash, zsh and fish.

The scripts hold every word that does not change while llamalift is installed, so that a shell answers at once; only run
ids are asked for, of a program that reads the journal and nothing else.
"""
