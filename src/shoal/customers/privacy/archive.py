"""An export as a ZIP that anybody can open: a page to read, the JSON, and a CSV of each part."""

from __future__ import annotations

import csv
import html
import io
import json
import zipfile
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shoal.customers.privacy.export import SECTIONS

if TYPE_CHECKING:
    from pathlib import Path

_TITLES = {
    "identifiers": "By what you are known",
    "traits": "What is known about you",
    "events": "What you did",
    "consents": "What you agreed to",
    "lists": "Lists that you were put on",
    "memberships": "Groups that you were in",
    "identity": "How records of you were joined",
    "quarantine": "Rows that could not be read",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}.wide{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:.875rem;width:100%}"
    "th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}"
    "th{background:#f5f5f5}td{overflow-wrap:anywhere}"
)


def write_archive(path: Path, document: dict[str, Any]) -> None:
    """Write an export of ``export_person`` as a ZIP; a file that is there already is replaced.

    Args:
        path: of the ZIP.
        document: the export.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "index.html", page(document), document)
        _put(archive, "person.json", json.dumps(document, indent=2, ensure_ascii=False), document)
        for name, columns in SECTIONS.items():
            _put(archive, f"{name}.csv", _csv(document[name], columns), document)


def _put(archive: zipfile.ZipFile, name: str, text: str, document: dict[str, Any]) -> None:
    made = datetime.fromisoformat(document["exported"])
    info = zipfile.ZipInfo(name, made.timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    archive.writestr(info, text.encode("utf-8", "surrogatepass"))


def _csv(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return file.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def page(document: dict[str, Any]) -> str:
    """The export as one page of HTML that needs nothing else."""
    parts = [_part(name, document[name]) for name in SECTIONS]
    ids = ", ".join(html.escape(one) for one in document["ids"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>What is kept about you</title>'
        f"<style>{_STYLE}</style></head><body><h1>What is kept about you</h1>"
        f"<p>Customer {ids}, as of {html.escape(document['exported'])}. The same is in person.json and in the CSV files, "
        f"for machines and spreadsheets. Times are UTC.</p>{''.join(parts)}</body></html>"
    )


def _part(name: str, rows: list[dict[str, Any]]) -> str:
    title = f"<h2>{_TITLES[name]}</h2>"
    if not rows:
        return f"{title}<p>Nothing.</p>"
    columns = [c for c in SECTIONS[name] if any(row[c] is not None for row in rows)]
    head = "".join(f"<th>{html.escape(column.replace('_', ' '))}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(_said(row[c]))}</td>' for c in columns)}</tr>" for row in rows)
    return f'{title}<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_cell(inner)}" for name, inner in value.items())
    return _cell(value)
