"""The verbs of agent.pyz. Each prints one JSON object."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Every verb imports what it needs when it is called: there is no .pyc in an archive, and `status` must be quick.


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code is 0 when it did what it promises."""
    options = _parser().parse_args(argv)
    sys.argv[0] = str(Path(sys.argv[0]).resolve())
    try:
        answer = _VERBS[options.verb](options)
    except (AgentError, OSError) as error:
        print(json.dumps({"error": {"type": type(error).__name__, "message": str(error)}}))  # noqa: T201 - same as below
        return 1
    code = int(answer.pop("exit_code", 0))
    print(json.dumps(answer))  # noqa: T201 - the answer is what a verb is for
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agent.pyz", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    boot = verbs.add_parser("boot", help="make the machine ready and start the daemon")
    boot.add_argument("--config", type=Path, required=True)
    ending = verbs.add_parser("end-compute", help="deallocate this machine when its deadline is over")
    ending.add_argument("--config", type=Path, required=True)
    for verb in ("serve", "status", "stop", "hold"):
        verbs.add_parser(verb).add_argument("--run-dir", type=Path, required=True)
    verbs.choices["serve"].add_argument("--owns-machine", action="store_true", help="it may power the machine off")
    verbs.choices["status"].add_argument("--log-from", type=int, default=0)
    verbs.choices["status"].add_argument("--log-limit", type=int, default=256 << 10)
    verbs.choices["status"].add_argument("--metrics-from", type=int)
    verbs.choices["hold"].add_argument("--key", required=True)
    verbs.add_parser("new-host-key")
    verbs.add_parser("activate-host-key")
    for verb in ("manifest", "verify"):
        verbs.add_parser(verb).add_argument("folder", type=Path)
    verbs.choices["manifest"].add_argument("--write", action="store_true")
    return parser


def _serve(options: argparse.Namespace) -> dict[str, Any]:
    from templates.agent.daemon import serve
    from templates.agent.folder import RunFolder

    return serve(RunFolder(options.run_dir.resolve()), owns_machine=options.owns_machine)


def _status(options: argparse.Namespace) -> dict[str, Any]:
    from templates.agent.folder import RunFolder
    from templates.agent.status import read_status

    wanted = {name: getattr(options, name) for name in ("log_from", "log_limit", "metrics_from")}
    return read_status(RunFolder(options.run_dir.resolve()), **wanted)


def _stop(options: argparse.Namespace) -> dict[str, Any]:
    from templates.agent.folder import RunFolder

    control = RunFolder(options.run_dir.resolve()).control
    control.mkdir(exist_ok=True)
    (control / "stop").touch()
    return {"asked": True}


def _hold(options: argparse.Namespace) -> dict[str, Any]:
    from templates.agent.hold import hold

    return {"held": hold(options.run_dir.resolve(), options.key)}


def _manifest(options: argparse.Namespace) -> dict[str, Any]:
    from templates.agent import manifest

    try:
        facts = manifest.build_manifest(options.folder)
    except manifest.ManifestError as error:
        return {"error": {"type": "ManifestError", "message": str(error)}, "exit_code": 1}
    if options.write:
        manifest.write_manifest(options.folder, facts)
    return facts


def _verify(options: argparse.Namespace) -> dict[str, Any]:
    from templates.agent import manifest

    problems = manifest.check_manifest(options.folder)
    return {"complete": not problems, "problems": problems, "exit_code": int(bool(problems))}


def _boot(options: argparse.Namespace) -> dict[str, Any]:
    from templates.agent.boot import boot

    return boot(options.config.resolve())


def _end_compute(options: argparse.Namespace) -> dict[str, Any]:
    from templates.agent.boot import end_if_due

    return end_if_due(options.config.resolve())


def _new_host_key(_: argparse.Namespace) -> dict[str, Any]:
    from templates.agent.hostkeys import new_host_key

    return new_host_key()


def _activate_host_key(_: argparse.Namespace) -> dict[str, Any]:
    from templates.agent.hostkeys import activate_host_key

    return activate_host_key()


_VERBS = {
    "activate-host-key": _activate_host_key,
    "boot": _boot,
    "end-compute": _end_compute,
    "hold": _hold,
    "manifest": _manifest,
    "new-host-key": _new_host_key,
    "serve": _serve,
    "status": _status,
    "stop": _stop,
    "verify": _verify,
}
