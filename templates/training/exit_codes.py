"""How the trainer ends; the launcher hands the workers' code on, and the agent goes by it where no report says more."""

from __future__ import annotations

OK = 0
CRASH = 1
# The command line, the DeepSpeed configuration that it names, or a checkpoint that does not go with them.
USAGE = 2
# The numbers are sysexits' so that they collide with neither a Python traceback (1) nor a signal (128 and up).
# The rows cannot be trained on.
BAD_DATA = 65
# A file of the base model cannot be read.
DAMAGED_INPUT = 66
# Processes of an earlier attempt still hold the run.
BUSY = 69
# The loss is not finite any more: starting again would end the same way.
NOT_FINITE = 70
# What was written is not the model that was trained.
BAD_MODEL = 71
# The disk is full, or cannot hold the final model.
NO_SPACE = 73
# Asked to leave: a checkpoint was saved, and starting again goes on from it.
CHECKPOINTED = 75
# Beyond sysexits' range, which has no words for these.
GPU_OUT_OF_MEMORY = 80
HOST_OUT_OF_MEMORY = 81
CODE = 82
# Another process of the training did not answer: what happened to it matters more.
COMMUNICATION = 83
# Of several machines this one stood alone when the attempt was to begin: nobody came for half an hour.
ALONE = 84

BY_KIND = {
    "usage": USAGE,
    "bad_data": BAD_DATA,
    "damaged_input": DAMAGED_INPUT,
    "bad_model": BAD_MODEL,
    "disk_full": NO_SPACE,
    "gpu_out_of_memory": GPU_OUT_OF_MEMORY,
    "host_out_of_memory": HOST_OUT_OF_MEMORY,
    "code": CODE,
    "communication": COMMUNICATION,
}
