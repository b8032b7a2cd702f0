"""One long question answered in a process of its own, of low priority: it is a client of the server, as any command is."""

from __future__ import annotations

import json
import os
import sys
from math import isfinite
from pathlib import Path
from typing import Any

import shoal
from shoal.errors import ShoalError
from shoal.server.child import NICE
from shoal.workspace.questions import answer
from shoal.workspace.served.wire import encode_error


def _plain(value: Any) -> Any:
    """As JSON has it: what is no number is null, dates and paths are texts."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def main() -> int:
    """Read the question from the standard input, and write its answer as JSON, or the error for ``decode_error``."""
    os.nice(NICE)
    asked = json.loads(sys.stdin.buffer.read())
    try:
        with shoal.open(Path(sys.argv[1])) as workspace:
            told, code = json.dumps(_plain(answer(workspace, asked["name"], asked["asked"]))).encode(), 0
    except ShoalError as error:
        told, code = encode_error(error), 1
    sys.stdout.buffer.write(told)
    return code


if __name__ == "__main__":
    sys.exit(main())
