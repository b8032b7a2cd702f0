"""A dashboard as the text of its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from shoal.views.dashboards.definition import Dashboard


class _Dumper(yaml.SafeDumper):
    """Places in one line, texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _list(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    short = all(not isinstance(item, dict) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=short)


def _text(dumper: _Dumper, data: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(list, _list)
_Dumper.add_representer(tuple, lambda dumper, data: _list(dumper, list(data)))
_Dumper.add_representer(str, _text)


def written(dashboard: Dashboard, over: str = "") -> str:
    """The text of a dashboard's file.

    Args:
        dashboard: which.
        over: the text that it takes the place of: the comments at its head are kept.
    """
    document = dashboard.document()
    if not document["filters"]:
        del document["filters"]
    return head_of(over) + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def head_of(text: str) -> str:
    """The comments with which a file begins."""
    lines = text.splitlines(keepends=True)
    count = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    return "".join(lines[:count])


def comments_lost(text: str) -> int:
    """How many comments of a file are lost when it is written anew: all but those at its head.

    >>> comments_lost("# kept\\ntitle: a  # lost\\n")
    1
    """
    rest = text[len(head_of(text)) :]
    marks = [(t.start_mark.index, t.end_mark.index) for t in yaml.scan(rest) if isinstance(t, yaml.ScalarToken)]
    found, at = 0, rest.find("#")
    while at >= 0:
        inside = any(start <= at < end for start, end in marks)
        before = rest[at - 1] if at else "\n"
        if not inside and before in " \t\n":
            found += 1
            at = rest.find("\n", at)
            if at < 0:
                break
        at = rest.find("#", at + 1)
    return found
