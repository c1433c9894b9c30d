"""What can go wrong for good in a verb of the agent.

AgentError
├── DiskError            the workspace disk is not there, or holds something that must not be touched
└── SystemCommandError   a program of the system failed where it must not

ManifestError stands apart in manifest.py, which also travels with the trainer, without the agent.
"""

from __future__ import annotations


class AgentError(Exception):
    """Base of them all; the message is the fact, its value last."""


class DiskError(AgentError):
    """The workspace disk is not there, or holds something that must not be touched."""


class SystemCommandError(AgentError):
    """A program of the system failed where it must not."""
