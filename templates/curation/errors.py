"""What stops a curation.

CurationError
├── InputError     the data cannot be read as rows
├── PatternError   RE2 does not take a regular expression
├── BusyError      another process curates into the same file
└── MissingError   a library that this input needs is not installed
"""

from __future__ import annotations


class CurationError(Exception):
    """Base of this package."""


class InputError(CurationError):
    """The data cannot be read as rows; the message names the file and the place."""


class PatternError(CurationError):
    """RE2 does not take a regular expression; the message says why."""


class BusyError(CurationError):
    """Another process curates into the same file at this moment."""


class MissingError(CurationError):
    """A library that this input needs is not installed; the message names it."""
