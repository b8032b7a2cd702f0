"""Scripts, styles and pictures as the build made them: compressed already, and kept by browsers for good by their hash."""

from __future__ import annotations

import json
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fastapi import HTTPException, Request, Response

from shoal.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "static"
PATH = "/static"
_FOREVER = "public, max-age=31536000, immutable"
_AGAIN = "no-cache"
_PACKED = (("br", ".br"), ("gzip", ".gz"))
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}


class _File(NamedTuple):
    body: bytes
    packed: Mapping[str, bytes]
    """The body by its encoding, the smallest first."""
    hash: str
    kind: str


class Static:
    """The files of a folder that the build made, with its manifest.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._held: dict[str, _File] = {}
        self._names: tuple[int, Mapping[str, str]] = (0, {})

    @property
    def names(self) -> Mapping[str, str]:
        """The name of each file with its hash, by the name that pages know it by; read anew after another build.

        Raises:
            StoreError: nothing was built.
        """
        place = self._folder / "manifest.json"
        try:
            built = place.stat().st_mtime_ns
            if built != self._names[0]:
                self._names = built, json.loads(place.read_bytes())["files"]
        except OSError as error:
            raise StoreError(
                "The scripts and styles of the pages weren't built.",
                fix="Run python hatch_build.py, or install Shoal anew.",
            ) from error
        return self._names[1]

    def address(self, name: str) -> str:
        """Where a file is fetched from, as ``main.js``; it changes with the file.

        Raises:
            StoreError: it wasn't built.
        """
        if name not in self.names:
            raise StoreError(f"{name} isn't among the files that were built.", fix="Run python hatch_build.py.")
        return f"{PATH}/{self.names[name]}"

    def answer(self, request: Request, name: str) -> Response:
        """The answer to who fetches a file.

        Raises:
            HTTPException: there is none of that name.
        """
        found = self._held.get(name) or self._read(name)
        # A name with a hash in it never means anything else.
        kept = name in self.names.values() or name.endswith(".js")
        headers = {
            "Cache-Control": _FOREVER if kept else _AGAIN, "ETag": f'"{found.hash[:24]}"', "Vary": "Accept-Encoding",
        }  # fmt: skip
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        taken = {part.partition(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")}
        for encoding, packed in found.packed.items():
            if encoding in taken:
                return Response(packed, headers=headers | {"Content-Encoding": encoding}, media_type=found.kind)
        return Response(found.body, headers=headers, media_type=found.kind)

    def _read(self, name: str) -> _File:
        place = self._folder / name
        # The folder is flat: whatever names another one is nobody's.
        if "/" in name or "\\" in name or not place.is_file():
            raise HTTPException(404, "There is no such file.")
        body = place.read_bytes()
        packed = {
            encoding: other.read_bytes()
            for encoding, ending in _PACKED
            if (other := place.with_name(name + ending)).is_file()
        }
        kind = _TYPES.get(place.suffix) or guess_type(name)[0] or "application/octet-stream"
        self._held[name] = _File(body, packed, sha256(body).hexdigest(), kind)
        return self._held[name]
