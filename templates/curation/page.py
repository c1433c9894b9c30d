"""The report as one HTML page that needs nothing else, light or dark as the reader's screen is."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from templates.curation.charts import bars, lengths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from templates.curation.report import Report, RuleReport
    from templates.curation.tally import Sample

_MOST_REASONS = 12

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --card: #f6f7f9; --ink: #1c2230; --quiet: #5b6475; --line: #dfe3ea;
  --kept: #2f7d5b; --gone: #d98b4a; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171d; --card: #1d222b; --ink: #e6e9ef; --quiet: #9aa4b5;
  --line: #333b48; --kept: #4fae85; --gone: #c57f45; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 860px; padding: 32px 20px 64px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 36px 0 10px; } h3 { font-size: 15px; margin: 0; }
p { margin: 4px 0; } .quiet { color: var(--quiet); font-size: 13px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0; }
.tile, .rule { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; }
.tile b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; }
.rule { margin: 12px 0; }
.rule header { display: flex; justify-content: space-between; gap: 12px; align-items: baseline; }
summary { cursor: pointer; color: var(--quiet); font-size: 13px; margin-top: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; margin-top: 8px; }
td { border-top: 1px solid var(--line); padding: 4px 8px 4px 0; vertical-align: top; overflow-wrap: anywhere; }
td:last-child { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
blockquote { margin: 10px 0 0; border-left: 3px solid var(--line); padding: 2px 0 2px 12px; font-size: 13px; }
pre { margin: 4px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 12.5px/1.45 ui-monospace, monospace; }
code { font: 12.5px ui-monospace, monospace; overflow-wrap: anywhere; }
svg text { font: 12.5px system-ui, sans-serif; fill: var(--ink); } svg .figure, svg .tick { fill: var(--quiet); }
svg .kept { fill: var(--kept); } svg .gone { fill: var(--gone); } svg .axis { stroke: var(--line); }
.key i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin: 0 5px 0 12px; }
.key i.kept { background: var(--kept); margin-left: 0; } .key i.gone { background: var(--gone); }
"""


def page(report: Report) -> str:
    """Write the page; it has no script and asks nobody for anything."""
    return "".join(_parts(report))


def _parts(report: Report) -> Iterator[str]:
    gone = report.rows - report.kept
    title = f"Curated by {report.rules_name}"
    yield (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><p class="quiet">{escape(", ".join(report.input_names[:5]))}</p>'
        '<div class="tiles">'
        f"{_tile('rows read', f'{report.rows:,}')}{_tile('kept', f'{report.kept:,}')}{_tile('dropped', f'{gone:,}')}"
        f"{_tile('kept, share', f'{report.kept / report.rows:.1%}' if report.rows else '-')}</div>"
    )
    counts = [("kept", report.kept), *((rule.name, rule.dropped) for rule in report.rules if rule.dropped)]
    yield f"<h2>What became of the rows</h2>{bars(counts, report.rows, 'rows kept, and dropped by each rule')}"
    yield (
        "<h2>How long the answers are</h2>"
        f"{lengths(report.lengths_before, report.lengths_after, 'rows by the length of their answers')}"
        '<p class="quiet key"><i class="kept"></i>kept<i class="gone"></i>dropped · rows by the length of their '
        "answers in characters, from the number below each column to its double</p>"
    )
    yield "<h2>Rule by rule</h2>"
    yield from (_rule(rule) for rule in report.rules if rule.dropped)
    if idle := ", ".join(rule.name for rule in report.rules if not rule.dropped):
        yield f'<p class="quiet">Found nothing to drop: {escape(idle)}.</p>'
    yield "<h2>Fingerprint</h2><table>"
    for name, digest in (
        ("fingerprint", report.fingerprint),
        ("rules", report.rules_sha256),
        ("input", report.input_sha256),
        ("output", report.output_sha256),
    ):
        yield f"<tr><td>{name}</td><td><code>{digest}</code></td></tr>"
    yield "</table></body></html>\n"


def _tile(words: str, figure: str) -> str:
    return f'<div class="tile"><b>{figure}</b><span class="quiet">{words}</span></div>'


def _rule(rule: RuleReport) -> str:
    shown = rule.reasons[:_MOST_REASONS] if len(rule.reasons) > 1 else ()
    rows = "".join(f"<tr><td>{escape(why)}</td><td>{count:,}</td></tr>" for why, count in shown)
    reasons = f"<details><summary>what it found</summary><table>{rows}</table></details>" if rows else ""
    samples = "".join(_sample(sample) for sample in rule.samples)
    examples = f"<details><summary>the first {len(rule.samples)}</summary>{samples}</details>" if samples else ""
    return (
        f'<section class="rule"><header><h3>{escape(rule.name)}</h3><span class="quiet">{rule.dropped:,} dropped</span>'
        f"</header>{reasons}{examples}</section>"
    )


def _sample(sample: Sample) -> str:
    texts = "".join(f"<pre>{escape(text)}</pre>" for text in (sample.prompt, sample.answer) if text)
    return f'<blockquote><p class="quiet">row {sample.row:,}: {escape(sample.why)}</p>{texts}</blockquote>'
