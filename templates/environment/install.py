"""Makes a training environment on the machine from a pinned lock. The client runs this file there as `python3 -c`.

A virtual environment cannot be moved, so it is built in its place, and `.complete` is written last: without that file
it is wiped and begun again. Machines that share the folder take turns by a lock. A lost client does not stop it.
Standard library only, Python 3.10; progress goes to standard output line by line, everything to `<environment>.log`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMPLETE = ".complete"
# DeepSpeed would otherwise compile CUDA operators for many minutes; what is used is compiled at first use.
_BUILD_SETTINGS = {"DS_BUILD_OPS": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
# `env` behind sudo, which lets no variable of ours through; another apt may be at work after the first boot.
_APT_GET = (
    "sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300",
)  # fmt: skip
_WORTH_SAYING = re.compile(
    r"(Collecting|Downloading|Building|Installing|Preparing|Successfully|Resolved|Prepared|Installed|ERROR|error)"
)


class InstallError(Exception):
    """A step failed; the message says which and how."""


class Installer:
    """One environment folder and the log beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log_file = folder.with_name(f"{folder.name}.log")
        self.python = folder / "bin" / "python"

    def install(self, lock: str, *, tool: str, uv_version: str) -> None:
        """Make the environment unless it is complete.

        Raises:
            InstallError: It cannot be made.
        """
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with _turn(self._folder.with_name(f"{self._folder.name}.lock")):
            if self._is_complete():
                say("the environment is there already")
                return
            if self._folder.exists():
                say("wiping an unfinished environment")
                shutil.rmtree(self._folder)
            self._log_file.write_bytes(b"")
            self._make_venv(self._folder)
            lock_file = self._folder / "lock.txt"
            lock_file.write_text(lock, encoding="utf-8")
            if tool == "uv":
                self._sync_by_uv(lock_file, uv_version)
            else:
                self._install_by_pip(lock_file, lock)
            self._finish(lock)

    def _is_complete(self) -> bool:
        # The interpreter that it links to may be gone after the machine's system was upgraded.
        if not (self._folder / COMPLETE).is_file():
            return False
        return subprocess.run([self.python, "-c", ""], capture_output=True, check=False).returncode == 0

    def _make_venv(self, folder: Path) -> None:
        try:
            self._run([sys.executable, "-m", "venv", folder])
        except InstallError:
            # Debian and Ubuntu keep ensurepip in a package of its own.
            say("installing python3-venv")
            # It fails as a whole when one foreign repository does not answer; Ubuntu's own may have.
            with suppress(InstallError):
                self._run([*_APT_GET, "update", "-q"])
            self._run([*_APT_GET, "install", "-y", "-q", "python3-venv"])
            shutil.rmtree(folder, ignore_errors=True)
            self._run([sys.executable, "-m", "venv", folder])

    def _install_by_pip(self, lock_file: Path, lock: str) -> None:
        pip: list[str | Path] = [self.python, "-m", "pip", "install", "--no-cache-dir"]
        # DeepSpeed is a source distribution whose metadata cannot be built without torch.
        torch = re.search(r"^torch==[^\s;\\]+", lock, re.MULTILINE)
        if torch:
            self._run([*pip, torch[0]])
        self._run([*pip, "-r", lock_file])
        self._run([self.python, "-m", "pip", "check"])

    def _sync_by_uv(self, lock_file: Path, uv_version: str) -> None:
        tools = self._folder / "uv"
        self._make_venv(tools)
        self._run([tools / "bin" / "python", "-m", "pip", "install", "--no-cache-dir", f"uv=={uv_version}"])
        uv: list[str | Path] = [tools / "bin" / "python", "-m", "uv", "pip", "sync", "--require-hashes"]
        # Beside the environment, so that files are linked and not copied, and the system disk stays out of it.
        uv += ["--cache-dir", tools / "cache"]
        self._run([*uv, "--python", self.python, lock_file])
        shutil.rmtree(tools)

    def _run(self, argv: Sequence[str | Path]) -> None:
        words = [str(word) for word in argv]
        environment = {**os.environ, **_BUILD_SETTINGS}
        last = cause = ""
        try:
            with (
                self._log_file.open("ab") as log,
                subprocess.Popen(
                    words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
                ) as process,
            ):
                for line in process.stdout or ():
                    log.write(line)
                    log.flush()
                    text = line.decode(errors="replace").strip()
                    last = text or last
                    cause = cause or (text if text.lower().startswith("error") else "")
                    if _WORTH_SAYING.match(text):
                        say(text)
        except FileNotFoundError as error:
            raise InstallError(f"not on this machine: {words[0]}") from error
        if process.returncode:
            raise InstallError(f"{' '.join(words[:4])} ended with {process.returncode}: {cause or last}")

    def _finish(self, lock: str) -> None:
        facts = {"lock_sha256": hashlib.sha256(lock.encode()).hexdigest(), "python": sys.version.split()[0]}
        os.sync()
        part = self._folder / f"{COMPLETE}.part"
        part.write_text(json.dumps(facts), encoding="utf-8")
        part.replace(self._folder / COMPLETE)
        say("the environment is complete")


@contextmanager
def _turn(lock_file: Path) -> Iterator[None]:
    with lock_file.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another installation of the same environment")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """One line of progress for the client, if it is still there."""
    try:
        print(line, flush=True)  # noqa: T201 - the client reads it over SSH
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main() -> int:
    request = json.load(sys.stdin)
    oldest = tuple(request["oldest_python"])
    if sys.version_info[:2] < oldest:
        say(f"the machine's python3 is too old: {sys.version.split()[0]}")
        return 1
    try:
        installer = Installer(Path(request["folder"]))
        installer.install(request["lock"], tool=request["tool"], uv_version=request["uv_version"])
    except (InstallError, OSError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
