"""What can go wrong between us and the machine.

RemoteError
├── UnreachableError      no connection within the deadline, or it broke
│   └── MachineOffError       and the cloud says why: the machine is off
├── HostKeyChangedError   the machine showed a key that is not pinned: everything stops
├── SignInRefusedError    the machine refuses our key
├── JumpRefusedError      the jump host in front of the machine is there and does not let us through
├── CommandFailedError    a command ended with a non-zero exit code
│   └── CommandTimeoutError   it did not end in time
├── TransferError         bytes did not arrive as they were sent
├── SetupError            the training environment could not be made
└── GpuCheckError         the GPU machine is not fit to train
"""

from __future__ import annotations


class RemoteError(Exception):
    """Base of this layer: a fact with the value last, and the next command."""

    def __init__(self, fact: str, *, hint: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint


class UnreachableError(RemoteError):
    """No connection within the deadline, or an open one broke."""


class MachineOffError(UnreachableError):
    """The machine does not answer because it is off; knocking on is in vain."""


class HostKeyChangedError(RemoteError):
    """The machine showed a host key that is not pinned for this run."""


class SignInRefusedError(RemoteError):
    """The machine refuses our key."""


class JumpRefusedError(RemoteError):
    """The jump host in front of the machine is there and does not let us through; another try would not either."""


class CommandFailedError(RemoteError):
    """A command ended with a non-zero exit code.

    Attributes:
        exit_code: What it ended with.
        stderr: The end of what it said, secrets masked.
    """

    def __init__(self, fact: str, *, exit_code: int, stderr: str, hint: str = "") -> None:
        super().__init__(fact, hint=hint)
        self.exit_code = exit_code
        self.stderr = stderr


class CommandTimeoutError(CommandFailedError):
    """A command did not end in time; `exit_code` is 124, as timeout(1) has it."""


class TransferError(RemoteError):
    """Bytes did not arrive as they were sent."""


class SetupError(RemoteError):
    """The training environment could not be made on the machine."""


class GpuCheckError(RemoteError):
    """The GPU machine is not fit to train."""
