"""The same curation as people write it: `datasets.filter` with a function, then a set of what was seen.

Run in the training environment: INPUT RULES OUTPUT PROCESSES CACHE. Prints the seconds that it took, without imports.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import datasets


def make_filter(rules: list[dict[str, Any]]) -> Any:  # noqa: ANN401 (a function for datasets.filter)
    """The function that keeps a row: phrases in the text in lower case, compiled expressions, lengths."""
    plain = [
        (
            [phrase.lower() for phrase in rule["phrases"]],
            [re.compile(regex, re.IGNORECASE) for regex in rule["regexes"]],
            rule["within_first"],
        )
        for rule in rules
    ]

    def keep(row: dict[str, str]) -> bool:
        answer = row["output"]
        if len(answer) < 20 or len(answer.split()) > 400 or not answer.strip():
            return False
        for phrases, regexes, within in plain:
            text = answer[:within]
            lower = text.lower().replace("\u2019", "'")
            if any(phrase in lower for phrase in phrases) or any(regex.search(text) for regex in regexes):
                return False
        return True

    return keep


def main() -> None:
    """Read, filter, drop copies, write."""
    source, rules, output, processes, cache = sys.argv[1:]
    shutil.rmtree(cache, ignore_errors=True)
    keep = make_filter(json.loads(Path(rules).read_text(encoding="utf-8")))
    began = time.perf_counter()
    rows = datasets.load_dataset("json", data_files=source, split="train", cache_dir=cache)
    rows = rows.filter(keep, num_proc=int(processes) if int(processes) > 1 else None)
    seen: set[tuple[str, str]] = set()

    def is_new(row: dict[str, str]) -> bool:
        key = (row["instruction"], row["output"])
        if key in seen:
            return False
        seen.add(key)
        return True

    rows.filter(is_new).to_json(output, lines=True, force_ascii=False)
    print(f"{time.perf_counter() - began:.3f}")  # noqa: T201 (whoever measures reads it)


if __name__ == "__main__":
    main()
