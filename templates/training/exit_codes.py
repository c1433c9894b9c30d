"""How the trainer ends; the launcher hands the workers' code on, and the agent goes by it."""

from __future__ import annotations

OK = 0
# The command line, or the DeepSpeed configuration that it names.
USAGE = 2
# The numbers are sysexits' so that they collide with neither a Python traceback (1) nor a signal (128 and up).
# The rows cannot be trained on.
BAD_DATA = 65
# The loss is not finite any more: starting again would end the same way.
NOT_FINITE = 70
# What was written is not the model that was trained.
BAD_MODEL = 71
# The disk cannot hold the final model.
NO_SPACE = 73
# Asked to leave: a checkpoint was saved, and starting again goes on from it.
CHECKPOINTED = 75
