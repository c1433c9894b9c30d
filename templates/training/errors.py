"""What ends a training that another attempt would not save.

TrainingError
├── BusyError    processes of another attempt hold the run
├── DataError    the rows or the tokenizer cannot be trained on
└── ModelError   what was written is not the model that was trained
"""

from __future__ import annotations


class TrainingError(Exception):
    """Base of this package."""


class BusyError(TrainingError):
    """Processes of another attempt hold the run; the message names the lock."""


class DataError(TrainingError):
    """The data or the tokenizer cannot be trained on; the message names the file and the row."""


class ModelError(TrainingError):
    """What was written is not the model that was trained."""
