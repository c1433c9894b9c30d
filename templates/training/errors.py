"""What ends a training that another attempt would not save.

TrainingError
├── BusyError    processes of another attempt hold the run
├── DataError    the rows or the tokenizer cannot be trained on
├── ModelError   what was written is not the model that was trained
├── ForeignCheckpointError   the only checkpoints are another run's
├── RowsError    so many processes cannot make the rows of a step
├── ConversionError   a checkpoint could not be fitted to this number of processes
├── NoSpaceError the disk cannot hold what must be written now
└── SaveBrokenError   a save failed where the ranks wait for each other
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


class ForeignCheckpointError(TrainingError):
    """There are complete checkpoints, but none is of what the command line asks for."""


class RowsError(TrainingError):
    """This many processes cannot make up the rows of a step that the checkpoint was trained with."""


class ConversionError(TrainingError):
    """DeepSpeed could not convert a checkpoint for this number of processes."""


class NoSpaceError(TrainingError):
    """The disk cannot hold what must be written now; the message has the numbers."""


class SaveBrokenError(TrainingError):
    """A save failed in the middle of something that all ranks do together: only a new start helps."""


class MirrorError(Exception):
    """The storage account of the mirror cannot be had, or refused. Apart from the others: it never ends a training."""


class DamagedCopyError(Exception):
    """A checkpoint in blob storage is not what its manifest says; an older one may be."""
