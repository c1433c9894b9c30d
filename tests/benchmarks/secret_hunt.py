"""Plants secrets in a whole run, lets its job print one of them, and looks for them in everything that is left.

The run is real: the rehearsal cloud, a Hub that wants a token for weights and data, DeepSpeed, collection, teardown.
Looked at are both sides' files while the machine stands and once more at the end, what is packed in them (the custom
data, too), what the commands printed, the command line of every process, and the cloud's own log of requests.
Last line: {"places": n, "found": n, ...}; `found` should be 0, and `printed` more.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from tests.benchmarks.kill_matrix import environment_cache
from tests.fakes.killed_runs import cheapest, smaller
from tests.fakes.planted_run import PlantedRun, blind_spots
from tests.fakes.terminal import Terminal


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two steps on a machine without a sandbox")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="secret-hunt-") as folder:
        cache = environment_cache()
        os.environ["LLAMALIFT_ENVIRONMENT_CACHE"] = str(cache)
        if arguments.quick:
            os.environ.update(cheapest(cache, Path(folder) / "byte-code"))
        print(json.dumps(hunt(Path(folder), quick=arguments.quick) | {"seconds": round(time.monotonic() - began)}))


def hunt(folder: Path, *, quick: bool) -> dict[str, int]:
    """One run and its search."""
    terminal = Terminal(folder / "state", {})
    try:
        terminal.run("init", str(folder / "project"), "--recipe", "tiny-cpu")
        run_file = folder / "project" / "run.yaml"
        if quick:
            run_file.write_text(smaller(run_file.read_text()))
        planted = PlantedRun(terminal, run_file)
        planted.go()
    finally:
        terminal.close()
    for find in planted.search.found:
        print(f"FOUND {find.name} as {find.form}: {find.place}")
    for missed in (blind := blind_spots(planted.values)):
        print(f"the search is blind to {missed}")
    return {
        "places": planted.search.places,
        "found": len(planted.search.found),
        "printed": planted.printed,
        "blind": len(blind),
    }


if __name__ == "__main__":
    main()
