"""Fine-tune a causal language model under DeepSpeed: the recipe's command line in, a complete model out.

Run by `python -m templates.training.launch --standalone --nproc_per_node N -m templates.training.train <flags>`.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from templates.training import (
    checkpoints,
    exit_codes,
    fence,
    leftovers,
    losses,
    node_files,
    rank_report,
    relaunching,
    setup,
    universal,
)
from templates.training.arguments import schedule_for
from templates.training.enduring import endure_full_disk
from templates.training.errors import BusyError
from templates.training.evictions import as_here
from templates.training.finish import finish, is_finished
from templates.training.identity import identify
from templates.training.orphans import die_with_launcher, leave_with_peers
from templates.training.relaunch import NothingToGainError, RelaunchClock
from templates.training.room import has_room
from templates.training.save_clock import SaveClock
from templates.training.setup import Run, prepare

if TYPE_CHECKING:
    from templates.training.homes import Homes

_SHOWN_SAVES = 8


def main(argv: list[str]) -> int:
    """Train; give the exit code (`exit_codes`)."""
    # Sent SIGUSR1, it prints where every thread stands: what a hung training is asked before it is ended.
    faulthandler.register(signal.SIGUSR1)
    endure_full_disk()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        die_with_launcher()
        leave_with_peers()
    try:
        lock = fence.join()
    except BusyError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the log is where the user looks
        return exit_codes.BUSY
    with lock or contextlib.nullcontext():
        return _prepare_and_train(argv)


def _prepare_and_train(argv: list[str]) -> int:
    try:
        run = prepare(argv)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the log is where the user looks
        return exit_codes.USAGE
    except Exception as error:  # noqa: BLE001 - whatever ends it is told by its kind
        return rank_report.end_with(error, None, heartbeat=None, micro_batch=0)
    try:
        is_over = relaunching.is_over if run.asked.llamalift_relaunch else is_finished
        code = exit_codes.OK if run.ranks.first(lambda: is_over(run)) else _train(run)
        return node_files.with_marker(run, code)
    except Exception as error:  # noqa: BLE001 - as above
        micro_batch = run.training.per_device_train_batch_size
        return rank_report.end_with(error, run.metrics, heartbeat=run.metrics.heartbeat, micro_batch=micro_batch)


def _train(run: Run) -> int:
    from templates.training.homes import Homes, newest_start
    from templates.training.linked import Linked
    from templates.training.making import load_data, make_trainer
    from templates.training.pulse import Pulse
    from templates.training.trainer import Discard, Forget, Report, StepEnd

    run.metrics.phase("loading")
    run.ranks.first(lambda: leftovers.clear(run.folders.final.parent, run.metrics.note))
    identity = _identity(run)
    start = run.ranks.first(lambda: newest_start(run, identity))
    run = setup.settle_packing(run, start)
    data = load_data(run)
    run = setup.fit_to_packs(run, data.counts.rows, data.counts.packs)
    run = setup.going_on(run, start, universal=universal.is_needed(run, start))
    source = universal.folder_for(run, start)
    folder = node_files.fetch(run, source)
    trainer, facts = make_trainer(run, data, {**identity, "packing": run.packing}, keep=_kept(run))
    saves = Path(trainer.args.output_dir)
    homes = Homes(run, saves, _kept(run))
    step_end = StepEnd(
        trainer,
        lambda total, start: _clock(run, homes, total, start),
        lambda: has_room(run, facts["trained"], saves),
        # On the durable disk, where the agent reads them, too.
        lambda step, save: checkpoints.write_times(run.folders.checkpoints, step, save),
    )
    trainer.add_callback(step_end)
    trainer.add_callback(homes)
    trainer.add_callback(Report(trainer))
    trainer.add_callback(Linked(trainer, run.folders.metrics.parent))
    trainer.add_callback(Pulse(run.metrics))
    if source and source != start.folder:
        trainer.add_callback(Discard(trainer, source))
    if folder and folder != source:
        trainer.add_callback(Forget(trainer, folder))
    if start.folder:
        run.metrics.note(f"going on from {start.folder.name}")
    run.metrics.phase("training")
    try:
        outcome = trainer.train(resume_from_checkpoint=str(folder) if folder else None)
    except NothingToGainError:
        relaunching.end(run, trainer.state.max_steps)
        return exit_codes.OK
    if step_end.diverged:
        return exit_codes.NOT_FINITE
    if run.ranks.is_first:
        losses.end_in_order(run.folders.checkpoints)
    if step_end.left:
        saved = f"saved in checkpoint-{trainer.last_save[0]}" if trainer.last_save[0] else "nothing could be saved"
        run.metrics.note(f"asked to leave: stopped after step {trainer.state.global_step}, {saved}")
        homes.wait_until_durable()
        return exit_codes.CHECKPOINTED
    if run.asked.llamalift_relaunch:
        # The next launch asks the durable disk alone whether there is anything left to do.
        homes.wait_until_durable()
    if not relaunching.goes_on(run, trainer.state.max_steps):
        finish(run, trainer, homes, facts, float(outcome.training_loss))
    relaunching.end(run, trainer.state.max_steps)
    return exit_codes.OK


def _identity(run: Run) -> dict[str, Any]:
    asked, training = run.asked, run.training
    return identify(
        base=asked.model_name_or_path,
        data=asked.data_path,
        longest_row=asked.model_max_length,
        prompt_format=asked.prompt_format,
        seed=training.seed if training.data_seed is None else training.data_seed,
        zero_stage=run.zero_stage,
        precision=run.translated.precision,
        packing=None if run.translated.chose_packing else run.packing,
        lora=asked.lora or "none",
    )


def _kept(run: Run) -> int:
    return run.asked.llamalift_keep if run.translated.save_limit is None else run.translated.save_limit


def _clock(run: Run, homes: Homes, total_steps: int, start_step: int) -> SaveClock | None:
    if not run.translated.saves:
        return None
    step_seconds, save_seconds = checkpoints.read_times(run.folders.checkpoints)
    clock = (RelaunchClock if run.asked.llamalift_relaunch else SaveClock)(
        schedule=as_here(schedule_for(run.asked, run.translated.save_steps, total_steps), run.folders.markers.parent),
        total_steps=total_steps,
        rungs_down=_rungs_down(run),
        last_save=start_step,
        now=time.monotonic,
        known_step_seconds=step_seconds,
        known_save_seconds=save_seconds,
        is_held=homes.hold_saves,
    )
    planned = clock.planned_steps(start_step)
    shown = planned if len(planned) <= 2 * _SHOWN_SAVES else (*planned[:_SHOWN_SAVES], *planned[-_SHOWN_SAVES:])
    run.metrics.event("plan", total_steps=total_steps, start_step=start_step, save_steps=shown, saves=len(planned))
    return clock


def _rungs_down(run: Run) -> int:
    """How often the run was lost; only rank 0 decides on saving, so only rank 0 counts."""
    attempt = int(os.environ.get("LLAMALIFT_ATTEMPT", "1"))
    return losses.begin(run.folders.checkpoints, attempt) if run.ranks.is_first else 0


def leave(code: int) -> NoReturn:
    """End with `code` for certain.

    When Python takes itself apart, gloo's threads may still run, and C++ then aborts the process (exit code 134 instead
    of ours); so only what was registered for the end is run, such as W&B's last upload.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - what multiprocessing does before its own os._exit
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
