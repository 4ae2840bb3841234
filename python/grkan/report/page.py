# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML page, and as Markdown."""

import html
import re

from . import plots, summary, tables

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 72em; margin: 2em auto; padding: 0 1em; }
h1, h2 { font-weight: 600; line-height: 1.2; } h2 { margin-top: 2.2em; } p.note { color: #555; margin: 0.3em 0 0.8em; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; } th, td { padding: 0.25em 0.7em; text-align: left; }
th { border-bottom: 2px solid #888; vertical-align: bottom; } td { border-bottom: 1px solid #ddd; }
th.number, td.number { text-align: right; } td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
svg { max-width: 100%; height: auto; } code { background: #f2f2f2; padding: 0 0.3em; }
"""


def _escape(text):
    """For HTML, which has no control characters."""
    return html.escape(re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "\ufffd", str(text)), quote=True)


def _html_row(tag, cells, is_number):
    """Numbers stay on one line: a browser would break them behind the sign of their exponent."""
    starts = (f'<{tag} class="number">' if number else f"<{tag}>" for number in is_number)
    return "<tr>" + "".join(f"{start}{_escape(cell)}</{tag}>" for start, cell in zip(starts, cells)) + "</tr>"


def _html_table(table):
    is_number = table.numeric_columns()
    rows = "\n".join([_html_row("th", table.headings, is_number)] +
                     [_html_row("td", row, is_number) for row in table.rows])
    note = f'<p class="note">{_escape(table.note)}</p>' if table.note else ""
    return (f"<h2>{_escape(table.title)}</h2>{note}\n<div class=\"wide\"><table>\n{rows}\n"
            "</table></div>")


def _own_ids(svg, number):
    """The identifiers of one plot, apart from those of the others in the page."""
    svg = re.sub(r'\bid="', f'id="p{number}-', svg)
    svg = re.sub(r'href="#', f'href="#p{number}-', svg)
    return re.sub(r"url\(#", f"url(#p{number}-", svg)


def to_html(read):
    devices = [device for document in read for device in document.devices]
    found = tables.all_tables(read)
    parts = ["<h1>grkan: benchmarks side by side</h1>"]
    if said := summary.sentences(read):
        parts.append("<h2>What was found</h2>\n<ul>" + "\n".join(f"<li>{_escape(one)}</li>" for one in said) + "</ul>")
    parts.append(_html_table(found[0]))
    commands = "".join(f"<li><code>{_escape(document.content['command'])}</code></li>" for document in read)
    parts.append(f"<p class=\"note\">Written by</p><ul>{commands}</ul>")
    for number, (title, note, svg) in enumerate(plots.all_plots(devices)):
        parts.append(f'<h2>{_escape(title)}</h2><p class="note">{_escape(note)}</p>\n{_own_ids(svg, number)}')
    parts += [_html_table(table) for table in found[1:]]
    body = "\n".join(parts)
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>grkan: benchmarks</title>\n'
            f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n")


def _markdown_row(cells):
    cells = (re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", str(cell)) for cell in cells)  # of one line
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def to_markdown(read):
    said = [re.sub(r"\s+", " ", one) for one in summary.sentences(read)]
    parts = ["\n".join(["## What was found", "", *(f"- {one}" for one in said)])] if said else []
    for table in tables.all_tables(read):
        rule = "|" + "".join("---:|" if number else "---|" for number in table.numeric_columns())
        rows = [_markdown_row(table.headings), rule, *map(_markdown_row, table.rows)]
        parts.append("\n".join([f"## {table.title}", "", *([table.note, ""] if table.note else []), *rows]))
    return "\n\n".join(parts) + "\n"
