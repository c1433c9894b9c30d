"""Programs that come first on a local machine's PATH.

`python3` is the interpreter that runs llamalift, wherever it lives. The others stand between the machine and the
computer that it runs on: whoever says `sudo -n shutdown -h now` there must switch off the machine, never the user's
computer, and nobody may install packages on that.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

_SUDO = """\
#!/bin/sh
# The machine's user owns everything that is the machine's; there is nobody else to become.
while [ $# -gt 0 ]; do
    case "$1" in
        -u | -g) shift 2 ;;
        --) shift; break ;;
        -*) shift ;;
        *=*) export "$1"; shift ;;
        *) break ;;
    esac
done
exec "$@"
"""

_REFUSED = """\
#!/bin/sh
echo "$(basename "$0"): a local machine has {what}" >&2
exit 1
"""


def write_programs(folder: Path, power_off: str) -> None:
    """Write them all.

    Args:
        folder: Where; exists.
        power_off: Shell command that switches the machine off.
    """
    # Not a symlink: a virtual environment made with it must point at the interpreter itself, because the environment
    # cache outlives this machine.
    _write(folder / "python3", f'#!/bin/sh\nexec {shlex.quote(base_interpreter())} "$@"\n')
    _write(folder / "sudo", _SUDO)
    for name in ("shutdown", "poweroff", "halt", "reboot"):
        _write(folder / name, f"#!/bin/sh\n{power_off}\n")
    for name in ("systemctl", "systemd-run"):
        _write(folder / name, _REFUSED.format(what="no service manager"))
    for name in ("apt", "apt-get", "dpkg"):
        _write(folder / name, _REFUSED.format(what="the packages of the computer that it runs on"))


def base_interpreter() -> str:
    """The interpreter below llamalift's own virtual environment."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
