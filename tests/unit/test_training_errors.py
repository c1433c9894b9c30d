"""Errors of the trainer go from rank to rank."""

from __future__ import annotations

import pickle

import pytest

from templates.training import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_arrives_as_it_was_sent(kind: type[Exception]) -> None:
    """Rank 0 fails alone and all ranks end alike: type and text survive the way."""
    sent = kind("a fact: 3")
    arrived = pickle.loads(pickle.dumps(sent))  # noqa: S301 - our own
    assert (type(arrived), str(arrived)) == (kind, "a fact: 3")
