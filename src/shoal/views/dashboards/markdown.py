"""The little Markdown of text tiles, as HTML that holds nothing but what is made here.

Headings, paragraphs, lists, ``**bold**``, ``*italic*``, ``code`` and links to pages of the workspace and of the web. Whatever
else stands there, tags too, is shown as it was written.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[([^\]\n]+)\]\(((?:https?://|mailto:|/(?!/))[^\s()\"'<>]*)\)")
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_ITALIC = re.compile(r"\*([^*\n]+)\*")
_HEADING = re.compile(r"(#{1,4}) +(.+?) *#*$")
_ITEM = re.compile(r"(?:[-*]|(\d+)[.)]) +(.+)$")


def to_html(text: str) -> str:
    """The HTML of a text.

    >>> to_html("**Hello** <script>")
    '<p><strong>Hello</strong> &lt;script&gt;</p>'
    >>> to_html("[here](javascript:alert(1))")
    '<p>[here](javascript:alert(1))</p>'
    """
    return "\n".join(_blocks(text))


def _blocks(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.splitlines()]
        while lines:
            yield _taken(lines)


def _taken(lines: list[str]) -> str:
    """The HTML of what the lines begin with, which is taken from them."""
    heading = _HEADING.match(lines[0])
    if heading is not None:
        # The page has its own h1, and the tile's title is an h2.
        level = min(4, len(heading[1]) + 2)
        del lines[0]
        return f"<h{level}>{_inline(heading[2])}</h{level}>"
    if _ITEM.match(lines[0]):
        return _list(lines)
    count = next(
        (at for at, line in enumerate(lines) if at and (_HEADING.match(line) or _ITEM.match(line))), len(lines)
    )
    said = "<br>".join(_inline(line) for line in lines[:count])
    del lines[:count]
    return f"<p>{said}</p>"


def _list(lines: list[str]) -> str:
    first = _ITEM.match(lines[0])
    tag = "ol" if first is not None and first[1] else "ul"
    items = []
    while lines and (found := _ITEM.match(lines[0])):
        items.append(f"<li>{_inline(found[2])}</li>")
        del lines[0]
    return f"<{tag}>{''.join(items)}</{tag}>"


def _inline(text: str) -> str:
    parts = _CODE.split(text)
    return "".join(f"<code>{html.escape(part)}</code>" if at % 2 else _marked(part) for at, part in enumerate(parts))


def _marked(text: str) -> str:
    said = html.escape(text, quote=False)
    said = _LINK.sub(lambda m: f'<a href="{html.escape(html.unescape(m[2]))}">{m[1]}</a>', said)
    return _ITALIC.sub(r"<em>\1</em>", _BOLD.sub(r"<strong>\1</strong>", said))


def to_lines(text: str) -> list[str]:
    """The text without its marks, a line each, for a picture."""
    plain = _LINK.sub(r"\1", _CODE.sub(r"\1", text))
    plain = _ITALIC.sub(r"\1", _BOLD.sub(r"\1", plain))
    return [re.sub(r"^#{1,4} +", "", line.strip()) for line in plain.strip().splitlines() if line.strip()]
