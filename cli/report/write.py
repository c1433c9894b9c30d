"""Writes a report: `report.html` and `report.md`, each whole by itself, and `loss.png`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from cli.report.charts import further_charts, loss_chart
from cli.report.words import headline, saves_rows, words_of

if TYPE_CHECKING:
    from pathlib import Path

    from cli.report.chart import Chart
    from runs.report import Report
    from runs.training_log import Training

HTML, MARKDOWN, PICTURE = "report.html", "report.md", "loss.png"


@dataclass(frozen=True, slots=True)
class Part:
    """One training in the report: its charts are HTML."""

    stage: str
    loss: Any
    charts: tuple[Any, ...]
    saves_words: str
    saves: list[tuple[str, ...]]


def write_report(report: Report, folder: Path, *, now: float | None = None) -> list[Path]:
    """Write all of it into `folder`, over an older report there; gives the files.

    Raises:
        OSError: The folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = words_of(report, now=time.time() if now is None else now)
    chart = loss_chart(report.history.training) if report.history.training else None
    written = [folder / HTML, folder / MARKDOWN]
    if chart is not None:
        from cli.report.png import png

        (folder / PICTURE).write_bytes(png(chart, title=report.history.row.run_id, subtitle=headline(report)))
        written.append(folder / PICTURE)
    written[0].write_text(to_html(report, words), encoding="utf-8")
    written[1].write_text(to_markdown(report, words, chart), encoding="utf-8")
    return written


def to_html(report: Report, words: dict[str, Any]) -> str:
    """The page: nothing in it is fetched from anywhere, and it runs no script."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    style = Markup(_packaged("report.css"))  # noqa: S704 - our own file
    return environment.from_string(_packaged("report.html")).render(words, style=style, trainings=_parts(report))


class _Verbatim(str):
    """Text for Markdown that is shown as it is: it stands in a block of code, or is a row of a table already."""

    __slots__ = ()


def to_markdown(report: Report, words: dict[str, Any], chart: Chart | None) -> str:
    """The same for a chat, an issue or a wiki; only the loss curve is a picture beside it."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701 - Markdown is no HTML; `_escaped` does what it needs
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=_escaped,
    )
    environment.filters["cells"] = lambda row: _Verbatim(" | ".join(map(_escaped, row)))
    verbatim = {name: _Verbatim(words[name]) for name in ("run_file", "commands")}
    picture = {"picture": PICTURE if chart else "", "picture_words": chart.words if chart else ""}
    template = environment.from_string(_packaged("report.md"))
    return template.render({**words, **verbatim, **picture, "trainings": _parts(report)})


def _escaped(value: Any) -> Any:  # noqa: ANN401 - whatever a template shows
    """No word may end a cell of a table, or become a tag."""
    if not isinstance(value, str) or isinstance(value, _Verbatim):
        return value
    return value.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _packaged(name: str) -> str:
    return (files("cli.report") / name).read_text(encoding="utf-8")


def _parts(report: Report) -> list[Part]:
    return [_part(training) for training in report.history.trainings]


def _part(training: Training) -> Part:
    from markupsafe import Markup

    from cli.report.svg import figure

    loss = loss_chart(training)
    words, rows = saves_rows(training)
    return Part(
        stage=training.stage,
        loss=Markup(figure(loss)) if loss else "",  # noqa: S704 - `figure` escapes every word
        charts=tuple(Markup(figure(chart)) for chart in further_charts(training)),  # noqa: S704 - likewise
        saves_words=words,
        saves=rows,
    )
