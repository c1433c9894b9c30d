"""Fine-tune a causal language model under DeepSpeed: the recipe's command line in, a complete model out.

Run by `python -m templates.training.launch --standalone --nproc_per_node N -m templates.training.train <flags>`.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import json
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from templates.agent.manifest import check_manifest
from templates.training import checkpoints, exit_codes, fence, save_schedule, sizes
from templates.training.arguments import schedule_for
from templates.training.errors import BusyError, DataError, TrainingError
from templates.training.orphans import die_with_parent, leave_with_peers
from templates.training.rank_report import end_with
from templates.training.save_clock import SaveClock
from templates.training.setup import Run, prepare

if TYPE_CHECKING:
    import datasets
    from transformers import PreTrainedTokenizerBase

    from templates.training.trainer import LiftTrainer

MARKER = "train.json"
_SHOWN_SAVES = 8


def main(argv: list[str]) -> int:
    """Train; give the exit code (`exit_codes`)."""
    # Sent SIGUSR1, it prints where every thread stands: what a hung training is asked before it is ended.
    faulthandler.register(signal.SIGUSR1)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        die_with_parent()
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
        return end_with(error, phase="loading", step=0, micro_batch=0)
    try:
        return exit_codes.OK if _is_finished(run) else _train(run)
    except Exception as error:  # noqa: BLE001 - as above
        if isinstance(error, TrainingError):
            run.metrics.problem("bad_data" if isinstance(error, DataError) else "bad_model", str(error))
        heart = run.metrics.heartbeat
        return end_with(error, phase=heart.phase, step=heart.step, micro_batch=run.training.per_device_train_batch_size)


def _is_finished(run: Run) -> bool:
    """An attempt after the last one that succeeded has nothing to do."""
    marker = run.folders.markers / MARKER
    return marker.is_file() and not check_manifest(run.folders.final, contents=False)


def _train(run: Run) -> int:
    from templates.training.pulse import Pulse
    from templates.training.trainer import Report, StepEnd

    run.metrics.phase("loading")
    trainer, parameters = _make_trainer(run)
    step_end = StepEnd(trainer, lambda total, start: _clock(run, total, start), lambda: _has_room(run, parameters))
    trainer.add_callback(step_end)
    trainer.add_callback(Report(trainer))
    trainer.add_callback(Pulse(run.metrics))
    start = _agreed_start(run)
    run.metrics.phase("training")
    outcome = trainer.train(resume_from_checkpoint=str(start) if start else None)
    if step_end.diverged:
        return exit_codes.NOT_FINITE
    if step_end.left:
        run.metrics.note(f"asked to leave: stopped after step {trainer.state.global_step}")
        return exit_codes.CHECKPOINTED
    return _finish(run, trainer, parameters, float(outcome.training_loss))


def _make_trainer(run: Run) -> tuple[LiftTrainer, int]:
    import torch
    from transformers import DataCollatorForSeq2Seq, set_seed

    from templates.training import model as models
    from templates.training.trainer import LiftTrainer

    asked, training = run.asked, run.training
    set_seed(training.seed)
    tokenizer = models.load_tokenizer(asked.model_name_or_path, asked.model_max_length, asked.cache_dir)
    rows = _rows(run, tokenizer)
    # DeepSpeed keeps its own fp32 master weights; without it the model's weights are the master weights.
    dtype = models.DTYPES[run.translated.precision] if run.with_deepspeed else torch.float32
    model = models.load_model(asked.model_name_or_path, dtype, asked.cache_dir)
    if added := models.fit_embeddings(model, tokenizer):
        run.metrics.note(f"{added} token added to the vocabulary: {tokenizer.pad_token}")
    trainer = LiftTrainer(
        model=model,
        args=training,
        train_dataset=rows,
        data_collator=DataCollatorForSeq2Seq(tokenizer),
        processing_class=tokenizer,
        metrics=run.metrics,
        keep=_kept(run),
    )
    return trainer, sum(math.prod(shape) for shape in models.whole_shapes(model).values())


def _kept(run: Run) -> int:
    return run.asked.llamalift_keep if run.translated.save_limit is None else run.translated.save_limit


def _rows(run: Run, tokenizer: PreTrainedTokenizerBase) -> datasets.Dataset:
    from templates.training import dataset

    asked = run.asked
    with run.training.main_process_first(local=False, desc="tokenising"):
        folder = dataset.prepare(Path(asked.data_path), tokenizer, asked.model_max_length, run.folders.data)
    rows, counts = dataset.load(folder)
    if counts.truncated:
        run.metrics.note(f"rows cut at --model_max_length {asked.model_max_length}: {counts.truncated}")
    if counts.dropped:
        run.metrics.note(f"{counts.dropped} rows are left out: the prompt alone fills --model_max_length")
    run.metrics.event("data", rows=counts.rows, tokens=counts.tokens)
    return rows


def _agreed_start(run: Run) -> Path | None:
    """Rank 0 looks for the checkpoint to go on from, and tells the others."""
    import torch.distributed as dist

    found: list[Path | None] = [None]
    if run.training.process_index == 0:
        found = [checkpoints.find_start(run.folders.checkpoints, run.metrics.note)]
    if dist.is_initialized():
        dist.broadcast_object_list(found, src=0)
    if found[0]:
        run.metrics.note(f"going on from {found[0].name}")
    return found[0]


def _clock(run: Run, total_steps: int, start_step: int) -> SaveClock | None:
    if not run.translated.saves:
        return None
    step_seconds, save_seconds = checkpoints.read_times(run.folders.checkpoints)
    clock = SaveClock(
        schedule=schedule_for(run.asked.llamalift_schedule, run.translated.save_steps, total_steps),
        total_steps=total_steps,
        rungs_down=max(0, int(os.environ.get("LLAMALIFT_ATTEMPT", "1")) - 1),
        last_save=start_step,
        now=time.monotonic,
        known_step_seconds=step_seconds,
        known_save_seconds=save_seconds,
    )
    planned = save_schedule.save_steps(
        clock.schedule, total_steps, step_seconds, save_seconds, rungs_down=clock.rungs_down, first_step=start_step
    )
    shown = planned if len(planned) <= 2 * _SHOWN_SAVES else (*planned[:_SHOWN_SAVES], *planned[-_SHOWN_SAVES:])
    run.metrics.event("plan", total_steps=total_steps, start_step=start_step, save_steps=shown, saves=len(planned))
    return clock


def _has_room(run: Run, parameters: int) -> bool:
    """Say whether one more checkpoint fits; the newest one's size is the best guess, arithmetic the first."""
    folder = run.folders.checkpoints
    needed = checkpoints.newest_bytes(folder) or sizes.checkpoint_bytes(
        parameters, run.zero_stage, run.translated.precision
    )
    lacking = checkpoints.lacking_bytes(folder, needed)
    if lacking:
        text = f"a checkpoint of {needed:,} bytes does not fit, training goes on without it: {lacking:,} bytes short"
        run.metrics.warn("disk_full", text)
    return not lacking


def _finish(run: Run, trainer: LiftTrainer, parameters: int, mean_loss: float) -> int:
    from templates.training import final_model, model

    run.metrics.phase("saving_final")
    needed = sizes.model_bytes(parameters, run.translated.precision)
    if lacking := checkpoints.lacking_bytes(run.folders.final.parent, needed):
        text = f"the final model of {needed:,} bytes does not fit: {lacking:,} bytes short"
        run.metrics.problem("disk_full", text)
        return exit_codes.NO_SPACE
    final_model.save_final(trainer, run.folders.final, model.DTYPES[run.translated.precision])
    if trainer.is_world_process_zero():
        _write_marker(run, trainer, mean_loss)
    return exit_codes.OK


def _write_marker(run: Run, trainer: LiftTrainer, mean_loss: float) -> None:
    # The Trainer's mean forgets what came before a restart; the log does not.
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    words = {
        "finished_at": time.time(),
        "steps": trainer.state.global_step,
        "final_dir": str(run.folders.final),
        "train_loss": losses[-1] if losses else mean_loss,
    }
    run.folders.markers.mkdir(exist_ok=True)
    checkpoints.write_durably(run.folders.markers / MARKER, json.dumps(words))


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
