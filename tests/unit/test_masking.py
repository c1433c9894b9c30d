"""Secrets in text and in streams: found in every form in which they usually leak, and nothing else is touched."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.training.masking import MaskedStream, Masker

TOKEN = "hf_wK9/+x&Zé 'q\"Lm\\7TtRr"
OTHER = "0123456789abcdef"


@pytest.mark.parametrize(
    "form",
    [
        TOKEN,
        json.dumps({"token": TOKEN}),
        json.dumps({"token": TOKEN}, ensure_ascii=False),
        repr({"token": TOKEN}),
        f"https://hub/?token={quote(TOKEN, safe='')}&more=1",
        f"https://hub/?token={quote_plus(TOKEN)}",
        f"https://hub/?token={re.sub('%..', lambda found: found[0].lower(), quote(TOKEN, safe=''))}",
        TOKEN.encode().hex(),
        TOKEN.encode().hex().upper(),
        *(base64.b64encode(b"u" * n + TOKEN.encode() + b"tail").decode() for n in range(6)),
        *(base64.urlsafe_b64encode(b"u" * n + TOKEN.encode()).decode() for n in range(3)),
    ],
)
def test_a_secret_is_found_in_every_usual_form(form: str) -> None:
    """As many stars as the value has letters, or more, and nothing of the neighbours."""
    masked = Masker([TOKEN, OTHER]).text(f"before {form} after")
    assert masked.count("*") >= len(TOKEN)
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert TOKEN not in masked


def test_lengths_stay_what_they_are() -> None:
    """A log's offsets are bytes: stars are as many as the value had."""
    data = f"a {TOKEN} b {OTHER} c".encode()
    masked = Masker([TOKEN, OTHER]).masked(data)
    assert len(masked) == len(data)
    assert masked.split() == [b"a", b"*" * len(TOKEN.encode()), b"b", b"*" * 16, b"c"]


def test_a_key_of_several_lines_is_found_line_by_line() -> None:
    """Whatever stands before each of its lines."""
    lines = ["-----BEGIN KEY-----", "MIIEvQIBADANBgkqhkiG", "short", "9w0BAQEFAASCBKcwggSj"]
    masked = Masker(["\n".join(lines)]).text("".join(f"  | {line}\n" for line in lines))
    assert lines[1] not in masked
    assert lines[3] not in masked


@pytest.mark.parametrize("value", ["", "1", "true", "abcde"])
def test_values_too_short_to_be_secret_are_left_alone(value: str) -> None:
    """They would be found everywhere."""
    text = "true 1 abcde and more"
    assert Masker([value]).text(text) == text


@given(
    st.lists(st.sampled_from([OTHER, OTHER[:9], OTHER[3:], "x", "\n", "0", base64.b64encode(OTHER.encode()).decode()])),
    st.data(),
)
def test_borders_of_pieces_do_not_matter(words: list[str], data: st.DataObject) -> None:
    """However the bytes are cut, what comes out is what the whole would have given."""
    whole = "".join(words).encode()
    stream, masker, given_out, at = MaskedStream(Masker([OTHER])), Masker([OTHER]), b"", 0
    while at < len(whole):
        size = data.draw(st.integers(1, 12))
        given_out += stream.feed(whole[at : at + size])
        at += size
    given_out += stream.end()
    assert given_out == masker.masked(whole)
    assert OTHER.encode() not in given_out


def test_what_cannot_be_a_secret_is_passed_on_at_once() -> None:
    """A progress line does not wait for the next one."""
    stream = MaskedStream(Masker([OTHER]))
    assert stream.feed(b"step 1 of 9\r") == b"step 1 of 9\r"
    assert stream.feed(b"at 0123") == b"at "
    assert stream.feed(b"!\n") == b"0123!\n"
