"""What Resource Graph answers to a query that it does not take, as recorded bodies show it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.operations import now_text

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.graph.words import Word
    from provisioning.rehearsal.arm.json_types import Json

_INVALID = {
    "code": "InvalidQuery",
    "message": "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the "
    "error before retrying.",
}


def parser_failure(word: Word, expected: str) -> ArmError:
    """400 for a query that cannot be read at `word`."""
    details = {"code": "ParserFailure", "message": "ParserFailure", "line": word.line}
    details |= {"characterPositionInLine": word.column, "token": word.text or "<EOF>", "expectedToken": expected}
    return bad_request(_INVALID, details)


def not_supported(text: str) -> ArmError:
    """400 for a table, an operator or a function that Resource Graph, or this part of it, does not have."""
    details = {"code": "InvalidQueryLanguage", "message": "InvalidQueryLanguage"}
    return bad_request(_INVALID, {**details, "line": -1, "characterPositionInLine": -1, "token": text})


def bad_request(*details: Json, code: str = "BadRequest", status: int = 400) -> ArmError:
    """The outer error always asks for a support case; what is wrong stands in the details."""
    message = (
        f"Please provide below info when asking for support: timestamp = {now_text()}, correlationId = {uuid.uuid4()}."
    )
    return ArmError(status, code, message, details=details)
