"""What a run has to do, whatever machine does it: the model and the data, found out once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runs.plan.adapters import trained_parameters
from runs.plan.disk import UNKNOWN_DATA_BYTES
from runs.plan.model_shape import ModelShape, model_shape
from runs.plan.model_size import ModelSize, model_size
from runs.plan.steps import DataSize, data_size
from runs.spec.sources import LocalSource, parse_source
from templates.after.questions import read_questions
from templates.training.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from runs.plan.trouble import Trouble
    from runs.spec.load import LoadedRunFile
    from runs.spec.sync import SyncItem

# A rehearsal trains on this computer's CPU: beyond this a step takes minutes and the memory is gone.
MOST_REHEARSAL_PARAMETERS = 500_000_000


@dataclass(frozen=True, slots=True)
class Workload:
    """The work of a run.

    Attributes:
        loaded: The run file.
        model: The base model.
        shape: Its shape; None when nothing tells.
        data: The data; None when it cannot be known before it is on the machine.
        data_bytes: Bytes of the data set on this computer; 0 when it comes from elsewhere.
        synced_bytes: Bytes of the further files.
        stages: The work of each stage of a `train` that is a list; none of any other. The figures above are then those
            of the first, but for `data_bytes`, which counts every data set once.
    """

    loaded: LoadedRunFile
    model: ModelSize
    shape: ModelShape | None
    data: DataSize | None
    data_bytes: int
    synced_bytes: int
    stages: tuple[Workload, ...] = ()

    @property
    def trained(self) -> int:
        """Parameters that are trained: all of the model's, or those of the adapters."""
        return trained_parameters(self.loaded.spec.train, self.model.parameters, self.shape)


def workload_of(loaded: LoadedRunFile, trouble: Trouble) -> Workload:
    """Find out what a run has to do; what cannot work is noted in `trouble`."""
    _check_after(loaded, trouble)
    if loaded.spec.stages:
        return _of_stages(loaded, trouble)
    _check_format(loaded, trouble)
    return _of_one(loaded, trouble)


def _check_after(loaded: LoadedRunFile, trouble: Trouble) -> None:
    """Questions and tasks that would be refused when everything else is paid for."""
    after = loaded.spec.after
    if after.infer.questions is not None:
        try:
            read_questions(loaded.resolve(after.infer.questions))
        except DataError as error:
            trouble.add(("after", "infer", "input"), str(error))
    if after.evaluate.task_folder is not None:
        folder = loaded.resolve(after.evaluate.task_folder)
        if not any(folder.rglob("*.yaml")):
            trouble.add(("after", "evaluate", "task_folder"), f"no task (.yaml) is in the folder: {folder}")


def _of_one(loaded: LoadedRunFile, trouble: Trouble) -> Workload:
    spec = loaded.spec
    return Workload(
        loaded,
        _model(loaded, trouble),
        model_shape(loaded),
        _data(loaded, trouble),
        _local_bytes(loaded, spec.data.source),
        sum(_synced_bytes(loaded, item) for item in spec.sync),
    )


def _of_stages(loaded: LoadedRunFile, trouble: Trouble) -> Workload:
    works = []
    for number, training in enumerate(loaded.trainings):
        found = trouble.of_stage(number)
        if number == 0:
            # A later stage begins with a model that has the format of the one before.
            _check_format(training, found)
        works.append(_of_one(training, found))
        trouble.join(found)
    each = {work.loaded.spec.data.source: work.data_bytes or UNKNOWN_DATA_BYTES for work in works}
    return replace(works[0], loaded=loaded, data_bytes=sum(each.values()), stages=tuple(works))


def _model(loaded: LoadedRunFile, trouble: Trouble) -> ModelSize:
    found = model_size(loaded)
    if found is None:
        trouble.add(("model",), "nothing tells how large the model is; give model.parameters_billion")
        return ModelSize(1, 1, "unknown")
    if loaded.spec.cloud == "rehearsal" and found.parameters > MOST_REHEARSAL_PARAMETERS:
        billions = found.parameters / 1e9
        trouble.add(
            ("model", "from"),
            f"a rehearsal trains on this computer's CPU: at most 0.5 billion parameters, found: {billions:.1f}",
        )
    return found


def _check_format(loaded: LoadedRunFile, trouble: Trouble) -> None:
    """A local base that brings no chat template has none on the machine either."""
    source = parse_source(loaded.spec.model.source)
    if loaded.spec.data.prompt_format != "tokenizer" or not isinstance(source, LocalSource):
        return
    folder = loaded.resolve(source.path)
    config = folder / "tokenizer_config.json"
    has_own = (folder / "chat_template.jinja").is_file() or (
        config.is_file() and b'"chat_template"' in config.read_bytes()
    )
    if not has_own:
        found = "the model's tokenizer has no chat template; take alpaca, vicuna or chatml, found: tokenizer"
        trouble.add(("data", "prompt_format"), found)


def _data(loaded: LoadedRunFile, trouble: Trouble) -> DataSize | None:
    try:
        return data_size(loaded)
    except DataError as error:
        trouble.add(("data", "from"), str(error))
        return None


def _local_bytes(loaded: LoadedRunFile, source: str) -> int:
    parsed = parse_source(source)
    return _tree_bytes(loaded.resolve(parsed.path)) if isinstance(parsed, LocalSource) else 0


def _synced_bytes(loaded: LoadedRunFile, item: SyncItem) -> int:
    """What of a local source is sent: its ignore rules count. What cannot be sent is refused when it is tried."""
    from remote.errors import TransferError
    from remote.tree import scan

    source = parse_source(item.source)
    if not isinstance(source, LocalSource):
        return 0
    try:
        tree = scan(loaded.resolve(source.path), f"/{item.target}", ignore=item.ignore, links=item.links)
    except TransferError:
        return _tree_bytes(loaded.resolve(source.path))
    return sum(file.size_bytes for file in tree.files)


def _tree_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
