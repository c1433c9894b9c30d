"""The journal: what was meant, what was done, and when. One SQLite file under the user's state folder."""

from runs.journal.store import Journal

__all__ = ["Journal"]
