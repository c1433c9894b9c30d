"""What a run tells: a tree on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import re

from rich.console import Console

from cli.reporting import PlainReporter, TreeReporter, reporter
from runs.types import StageName


def console(*, terminal: bool, width: int = 80) -> Console:
    """A console that writes to memory."""
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, highlight=False, color_system=None)


def printed(to: Console) -> str:
    """What it has printed."""
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def test_a_pipe_gets_plain_lines() -> None:
    """No control characters, one line per event, each with its time and stage."""
    to = console(terminal=False)
    with reporter(to) as report:
        assert isinstance(report, PlainReporter)
        report.started(StageName.SYNC, "sending weights and data")
        report.waiting(StageName.SYNC, "tiny-llama")
        report.waiting(StageName.SYNC, "tiny-llama")
        report.done(StageName.SYNC, "4.2 MB sent and verified", seconds=61)
        report.note("a note")
    lines = printed(to).splitlines()
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines] == [
        "sync      sending weights and data",
        "sync      tiny-llama",
        "sync      done in 1 m 01 s: 4.2 MB sent and verified",
        "note: a note",
    ]
    assert "\x1b" not in printed(to)


def test_plain_progress_is_said_now_and_then() -> None:
    """A thousand steps make about ten lines, the last step among them."""
    to = console(terminal=False)
    report = PlainReporter(to)
    report.started(StageName.TRAIN, "training")
    for step in range(1, 1001):
        report.progress(StageName.TRAIN, step, 1000, "steps")
    lines = printed(to).splitlines()
    assert 9 <= len(lines) <= 13


def test_plain_progress_carries_the_newest_detail() -> None:
    """While numbers run, the loss comes with them instead of on a line of its own."""
    to = console(terminal=False)
    report = PlainReporter(to)
    report.progress(StageName.TRAIN, 1, 36, "steps")
    report.waiting(StageName.TRAIN, "loss 5.310")
    report.progress(StageName.TRAIN, 20, 36, "steps")
    assert printed(to).splitlines()[-1].endswith("train     20/36 steps  loss 5.310")
    assert len(printed(to).splitlines()) == 2


def test_the_tree_has_a_line_for_each_stage() -> None:
    """Done, running with a bar, failed: each with its text, at 80 columns."""
    to = console(terminal=True)
    tree = TreeReporter(to)
    tree.started(StageName.PROVISION, "renting the machine")
    tree.done(StageName.PROVISION, "Standard_D2s_v5 in eastus at 127.1.2.3", seconds=4)
    tree.started(StageName.TRAIN, "training")
    tree.progress(StageName.TRAIN, 12, 36, "steps")
    tree.waiting(StageName.TRAIN, "loss 5.310, 2,000 tokens/s")
    tree.started(StageName.COLLECT, "bringing the model home")
    tree.failed(StageName.COLLECT, "the machine does not answer: 127.1.2.3", seconds=10)
    to.print(tree)
    lines = printed(to).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert re.match(r"✓ provision Standard_D2s_v5 in eastus at 127\.1\.2\.3 +4 s", lines[0])
    assert re.match(r"● train +━+.* 12/36 steps loss 5\.310, 2,000 tokens/s", lines[1])
    assert re.match(r"✗ collect +the machine does not answer: 127\.1\.2\.3 +10 s", lines[2])


def test_a_long_text_is_cut_and_nothing_else_is() -> None:
    """However much a stage has to say, its mark, its name and its time stay whole."""
    to = console(terminal=True)
    tree = TreeReporter(to)
    tree.started(StageName.PROVISION, "renting")
    tree.done(StageName.PROVISION, "a size in a region at an address, and so on; " * 3, seconds=10 * 3600)
    tree.started(StageName.TRAIN, "training")
    tree.progress(StageName.TRAIN, 1280, 1288, "steps")
    tree.waiting(StageName.TRAIN, "verifying, loss 6.297, 996 tokens/s, 2 m left, saved at 1280")
    to.print(tree)
    lines = printed(to).splitlines()
    assert re.match(r"✓ provision a size .*… 10 h 00 m$", lines[0])
    assert re.match(r"● train     ━+.* 1280/1288 steps verifying, .*… +0 s$", lines[1])


def test_markup_in_messages_is_text() -> None:
    """A path in square brackets is shown, not interpreted."""
    to = console(terminal=False)
    PlainReporter(to).note("[red]not a style[/red]")
    assert "[red]not a style[/red]" in printed(to)
