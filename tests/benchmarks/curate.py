"""How fast a data set is curated, against the same filter written with `datasets.filter` in one process and in two.

A million rows of instruction-like text are made, with refusals, addresses, short answers and copies planted. All sides
read the same JSON lines, drop by the shipped set `unfiltered`, by addresses, by length and by exact copies, and write
what is left; the rows that are left must be the same. The peer is what people write, with its phrases in lower case and
its expressions compiled beforehand: `Dataset.filter`, then a set of what was seen for the copies, in the training
environment's Python; its imports are not counted, ours are. The sides take turns; the figure is the ratio of the best
of each. Peak memory is that of all processes together (sampled), with the files' own cache left out.
Last line: {"rows_per_second": x, "ratio_to_datasets_1p": x, "ratio_to_datasets_2p": x, "peak_mib": x, ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from runs.curation.load import load_rules
from templates.curation.curate import default_workers
from templates.curation.rules import RuleSet, TextCondition
from tests.benchmarks.save_overhead import training_python

ROWS, QUICK_ROWS = 1_000_000, 20_000
_SAMPLE_SECONDS = 0.05
RULES = """\
include: [unfiltered]
rules:
  - drop: address
    regexes: ['https?://\\S+']
  - drop: short
    characters: {under: 20}
  - drop: long
    words: {over: 400}
  - drop: same
    duplicates: exact
"""
PEER = Path(__file__).parents[1] / "fakes" / "curation_peer.py"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one side.

    Attributes:
        seconds: Wall time.
        processor_seconds: What its processes took of the processors, imports included.
        peak_mib: The most memory that they had together.
    """

    seconds: float
    processor_seconds: float
    peak_mib: float


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS:,} rows")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the data set")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each side")
    parser.add_argument("--near", action="store_true", help="measure near duplicates too, which the peer has not")
    asked = parser.parse_args()
    count = QUICK_ROWS if asked.quick else asked.rows
    with tempfile.TemporaryDirectory(prefix="llamalift-bench-") as name:
        folder = Path(name)
        write_rows(folder / "in.jsonl", count)
        (folder / "rules.yaml").write_text(RULES)
        (folder / "near.yaml").write_text("include: [./rules.yaml]\nrules: [{drop: alike, duplicates: near}]\n")
        rules = load_rules(["rules.yaml"], folder)
        (folder / "peer.json").write_text(json.dumps(peer_rules(rules)))
        size = (folder / "in.jsonl").stat().st_size
        print(f"{count:,} rows, {size / 1e6:.0f} MB, {default_workers()} processes of ours")
        sides = {
            "ours": ours(folder, "rules.yaml", default_workers()),
            "ours, 1 process": ours(folder, "rules.yaml", 1),
            "datasets, 1 process": peer(folder, 1),
            "datasets, 2 processes": peer(folder, 2),
        }
        if asked.near:
            sides["ours, near duplicates too"] = ours(folder, "near.yaml", default_workers())
        best = measure(sides, asked.rounds, count, folder)
    ours_seconds = best["ours"].seconds
    print(
        json.dumps(
            {
                "rows_per_second": round(count / ours_seconds),
                "ratio_to_datasets_1p": round(best["datasets, 1 process"].seconds / ours_seconds, 2),
                "ratio_to_datasets_2p": round(best["datasets, 2 processes"].seconds / ours_seconds, 2),
                "peak_mib": round(best["ours"].peak_mib),
                "peak_mib_datasets_1p": round(best["datasets, 1 process"].peak_mib),
                "rows": count,
                "seconds": round(ours_seconds, 2),
                "processor_seconds": round(best["ours"].processor_seconds, 2),
                "processor_seconds_datasets_1p": round(best["datasets, 1 process"].processor_seconds, 2),
                "seconds_1p": round(best["ours, 1 process"].seconds, 2),
            }
        )
    )


def measure(sides: dict[str, list[str]], rounds: int, count: int, folder: Path) -> dict[str, Measured]:
    """The best of each side, the sides taking turns."""
    best: dict[str, Measured] = {}
    for _ in range(rounds):
        for name, argv in sides.items():
            done = run(argv)
            print(
                f"{name:<26} {done.seconds:7.2f} s  {count / done.seconds:9,.0f} rows/s  "
                f"{done.processor_seconds:7.2f} s of processors  {done.peak_mib:6.0f} MiB"
            )
            if name not in best or done.seconds < best[name].seconds:
                best[name] = done
            if name == "datasets, 2 processes":
                check(folder)
    return best


def run(argv: list[str]) -> Measured:
    """Run a command to its end, and look at its memory meanwhile."""
    environment = {**os.environ, "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "1"}
    began, before = time.perf_counter(), processor_seconds()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment, start_new_session=True, text=True)
    peak, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(_SAMPLE_SECONDS):
            peak[0] = max(peak[0], group_mib(process.pid))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - began
    over.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"ended with {process.returncode}: {' '.join(argv)}")
    wall = float(output) if str(PEER) in argv else seconds
    return Measured(wall, processor_seconds() - before, peak[0])


def processor_seconds() -> float:
    """What all processes that were waited for took, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def group_mib(group: int) -> float:
    """Memory of all processes of a group, shared pages shared out, in MiB; those that are gone have none."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) != group:
                continue
            lines = (entry / "smaps_rollup").read_text().splitlines()
        except (OSError, IndexError):
            continue
        # Pages of files are the system's cache, which a mapped data set fills as much as a read one.
        kinds = ("Pss_Anon:", "Pss_Shmem:")
        total += sum(int(line.split()[1]) for line in lines if line.startswith(kinds))
    return total / 1024


def ours(folder: Path, rules: str, workers: int) -> list[str]:
    """The command of our side."""
    llamalift = str(Path(sys.executable).with_name("llamalift"))
    output = folder / "ours.jsonl"
    words = ["curate", str(folder / "in.jsonl"), str(output), "--rules", str(folder / rules), "--workers", str(workers)]
    return [llamalift, *words]


def peer(folder: Path, processes: int) -> list[str]:
    """The command of the peer."""
    files = [str(folder / name) for name in ("in.jsonl", "peer.json", "peer.jsonl")]
    return [str(training_python()), str(PEER), *files, str(processes), str(folder / "cache")]


def peer_rules(rules: RuleSet) -> list[dict[str, object]]:
    """The phrases and expressions of the rules, for the peer; its lengths are the same by hand."""
    return [
        {
            "phrases": rule.condition.phrases,
            "regexes": rule.condition.regexes,
            "within_first": rule.condition.within_first,
        }
        for rule in rules.row_rules
        if isinstance(rule.condition, TextCondition)
    ]


def check(folder: Path) -> None:
    """Both sides leave the same rows."""
    with (
        (folder / "ours.jsonl").open(encoding="utf-8") as here,
        (folder / "peer.jsonl").open(encoding="utf-8") as there,
    ):
        count = 0
        for one, other in zip_longest(here, there, fillvalue="null"):
            if json.loads(one) != json.loads(other):
                raise SystemExit(f"the sides differ from row {count + 1} on: {one.strip()} {other.strip()}")
            count += 1
    print(f"{count:,} rows left by both")


def write_rows(target: Path, count: int) -> None:
    """Write made-up instructions and answers: about 650 characters a row, a fifth of them to be dropped."""
    chance = random.Random(11)  # noqa: S311 (a made-up data set)
    words = vocabulary(chance)
    sentences = [" ".join(chance.choices(words, k=chance.randrange(6, 22))).capitalize() + "." for _ in range(20_000)]
    planted = [
        "As an AI language model, I don't have personal opinions.",
        "I\u2019m sorry, but I can\u2019t help with that request.",
        "Unfortunately, I cannot provide that.",
        "It is important to remember that all people matter, and I must remind you to be kind.",
        "Is there anything else I can help you with?",
        "See https://www.example.org/page for more.",
    ]
    kept: list[str] = []
    with target.open("w", encoding="utf-8") as file:
        for number in range(count):
            kind = chance.random()
            if kind < 0.06 and kept:
                file.write(chance.choice(kept))
                continue
            answer = " ".join(chance.choices(sentences, k=1 + int(chance.expovariate(1 / 6))))
            if kind < 0.16:
                place = chance.randrange(len(answer))
                answer = f"{answer[:place]} {chance.choice(planted)} {answer[place:]}"
            elif kind < 0.18:
                answer = answer[: chance.randrange(1, 19)].strip()
            row = {"instruction": f"{chance.choice(sentences)[:-1]} ({number})?", "input": "", "output": answer}
            line = json.dumps(row, ensure_ascii=False) + "\n"
            file.write(line)
            if len(kept) < 50_000:
                kept.append(line)


def vocabulary(chance: random.Random) -> list[str]:
    """Words as frequent as in a language: a few often, most seldom."""
    words = [
        "".join(chance.choices(["ba", "co", "del", "gra", "in", "lo", "né", "st", "tion"], k=3)) for _ in range(700)
    ]
    common = ["the", "of", "and", "to", "a", "in", "is", "that", "for", "it", "as", "with", "on", "are", "this", "you"]
    return [*words, *common * 30]


if __name__ == "__main__":
    main()
