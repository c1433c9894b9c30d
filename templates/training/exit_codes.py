"""How the trainer ends; the launcher hands the workers' code on."""

from __future__ import annotations

OK = 0
USAGE = 2
# BSD's sysexits, so that they collide with neither a Python traceback (1) nor a signal (128 and up).
BAD_DATA = 65
NOT_FINITE = 70
BAD_MODEL = 71
NO_SPACE = 73
CHECKPOINTED = 75

MEANING = {
    USAGE: "the command line",
    BAD_DATA: "the data cannot be trained on",
    NOT_FINITE: "the loss is not finite any more: starting again would end the same way",
    BAD_MODEL: "what was written is not the model that was trained",
    NO_SPACE: "the disk cannot hold the final model",
    CHECKPOINTED: "asked to leave: a checkpoint was saved, start again to go on",
}
