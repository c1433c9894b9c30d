"""Run as root on a machine through the control plane: lets another computer in, and says whom it will meet.

Usage: python3 let_in.py USER PUBLIC_KEY

The user's own keys of llamalift are replaced by PUBLIC_KEY; whatever else is in the file stays. Prints one line:
`<<llamalift:{...}:llamalift>>`, which no cut of the output can leave half of unnoticed. Standard library only.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

_OURS = " llamalift"
_RUN_CONFIG = "/opt/llamalift/run.json"


def let_in(user: str, key: str) -> dict[str, Any]:
    """Plant the key, then read the host key."""
    home = _home(user)
    removed = plant(home / ".ssh" / "authorized_keys", key)
    folder = Path(os.environ.get("LLAMALIFT_SSH_DIR", "/etc/ssh"))
    private = folder / "ssh_host_ed25519_key"
    shown = subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", str(private)], capture_output=True, text=True, check=True
    ).stdout
    return {
        "host_key": " ".join(shown.split()[:2]),
        # cloud-init wrote both halves; the agent removes the public one when the machine's own key comes into force.
        "one_time": private.with_suffix(".pub").exists(),
        "removed": removed,
        "workspace": _workspace(),
    }


def plant(file: Path, key: str) -> int:
    """Put `key` into an authorized_keys file instead of all other keys of llamalift; returns how many went."""
    lines = file.read_text().splitlines() if file.exists() else []
    kept = [line for line in lines if not line.rstrip().endswith(_OURS)]
    removed = len(lines) - len(kept) - lines.count(key)
    part = file.with_name(f"{file.name}.part")
    part.write_text("".join(f"{line}\n" for line in [*kept, key]))
    part.chmod(0o600)
    if os.geteuid() == 0:
        owner = file.stat() if file.exists() else file.parent.stat()
        os.chown(part, owner.st_uid, owner.st_gid)
    part.replace(file)
    return removed


def _home(user: str) -> Path:
    # A local machine of the rehearsal has one user, who need not be in the computer's own list.
    return Path(os.environ["HOME"] if os.environ.get("LLAMALIFT_LOCAL_MACHINE") else pwd.getpwnam(user).pw_dir)


def _workspace() -> str:
    told = os.environ.get("LLAMALIFT_WORKSPACE")
    return told or str(json.loads(Path(_RUN_CONFIG).read_text())["workspace"])


def main(user: str, key: str) -> None:
    """Do it and say so; a failure is said in the same form, because the control plane tells no exit code."""
    try:
        answer = let_in(user, key)
    except (OSError, KeyError, ValueError, subprocess.CalledProcessError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(f"<<llamalift:{json.dumps(answer)}:llamalift>>\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
