"""A whole run with planted secrets, one of which its job prints, and a search of everything that it leaves."""

from __future__ import annotations

import json
import re
import secrets
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.rehearsal import service
from tests.fakes.hub_server import HubRepo, hub_server
from tests.fakes.secret_search import ProcessList, Search, forms

if TYPE_CHECKING:
    from tests.fakes.terminal import Terminal

# Transformers prints the value of this one, because it is no verbosity: a job that prints a secret, without a word of
# ours in it.
PRINTED = "TRANSFORMERS_VERBOSITY"
_STARRED = re.compile(rf"{PRINTED}=\*{{20,}},")


def plant() -> dict[str, str]:
    """Values that nothing else can have; the one that is printed has what encodings change."""
    return {
        "HF_TOKEN": f"hf_{secrets.token_urlsafe(27)}",
        "WANDB_API_KEY": secrets.token_hex(20),
        PRINTED: f'p@ss/{secrets.token_urlsafe(15)}+&"é"',
    }


@dataclass(slots=True)
class PlantedRun:
    """The run.

    Attributes:
        terminal: Where its commands are given.
        run_file: Its run file; the model and the data beside it come from a Hub that wants the token.
        values: What is planted.
        search: What was looked at, and what was found.
        printed: How often the job's log has stars in the place of what it printed.
        requests: What the Hub was asked.
    """

    terminal: Terminal
    run_file: Path
    values: dict[str, str] = field(default_factory=plant)
    search: Search = field(init=False)
    printed: int = 0
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.search = Search(self.values)

    def go(self) -> str:
        """Make the run, look while its machine stands, tear it down, look again; gives its id."""
        scratch = self.terminal.state.with_name("temporary")
        scratch.mkdir()
        self.terminal.environment |= {**self.values, "TMPDIR": str(scratch)}
        with ProcessList() as processes, hub_server() as hub:
            self._serve(hub.repos)
            self.terminal.environment["HF_ENDPOINT"] = hub.url
            said = [self._say("up", str(self.run_file), "--keep", "--on-failure", "keep")]
            run_id = self.terminal.run_id()
            said += [self._say(*words, run_id) for words in (("status", "--json"), ("status",), ("logs", "--raw"))]
            self.printed = len(_STARRED.findall(said[-1]))
            self._look(run_id)
            self._look_at_the_cloud()
            said.append(self._say("down", run_id))
            self.requests = hub.requests
        self._look(run_id)
        for number, text in enumerate(said):
            self.search.look_at(f"what command {number} printed", text.encode())
        for line in processes.lines:
            self.search.look_at(f"a process: {line[:80]!r}", line)
        return run_id

    def _serve(self, repos: dict[str, HubRepo]) -> None:
        folder, token = self.run_file.parent, self.values["HF_TOKEN"]
        model = {file.name: file.read_bytes() for file in (folder / "tiny-llama").iterdir()}
        rows = {"rows.json": (folder / "instructions.json").read_bytes()}
        repos["models/tiny/llama"] = HubRepo(model, token=token)
        repos["datasets/tiny/alpaca"] = HubRepo(rows, token=token)
        text = self.run_file.read_text()
        text = text.replace("from: ./tiny-llama", "from: hf://tiny/llama\n  parameters_billion: 0.00106")
        text = text.replace("from: ./instructions.json", "from: hf://datasets/tiny/alpaca/rows.json")
        self.run_file.write_text(f"{text}\nsecrets: [{', '.join(self.values)}]\n")

    def _say(self, *words: str) -> str:
        done = self.terminal.run(*words, seconds=900)
        return done.stdout + done.stderr

    def _look(self, run_id: str) -> None:
        """Everything on disk and in memory that the run could have written: both sides, and the cloud's own state."""
        memory = Path("/dev/shm", f"llamalift-{run_id}")
        for folder in (self.terminal.state, self.terminal.state.with_name("temporary"), self.run_file.parent, memory):
            self.search.look_below(folder)

    def _look_at_the_cloud(self) -> None:
        handle = service.running(self.terminal.state)
        assert handle is not None, "the rehearsal cloud is gone"
        for request in service.logged_requests(handle):
            self.search.look_at(f"request {request.number}", json.dumps(asdict(request)).encode())
        self.search.look_at("what the cloud saw", json.dumps(service.witness(handle)).encode())


def blind_spots(values: dict[str, str]) -> list[str]:
    """Forms that the search would not find in a file of their own, which would make its silence worthless."""
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        for name, value in values.items():
            for form, looks in forms(value).items():
                file = Path(folder, "planted")
                file.write_bytes(b"some words " + looks + b" and more")
                search = Search({name: value})
                search.look_below(Path(folder))
                if not search.found:
                    missed.append(f"{name} in {form}")
    return missed
