"""Takes pictures of every page in the navigation, and of the first thing that each of its tables leads to, for the docs.

``make screenshots`` puts them into ``docs/images/web``: in light, in dark and as on a phone, in at most 256 colours each, which
makes them a third as large. Pages are as wide as a window and as high as they are, up to ``HIGHEST``.
"""

from __future__ import annotations

import base64
import re
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hatch_build
import numpy as np
from playwright.sync_api import TimeoutError as NotReady
from playwright.sync_api import sync_playwright

from chromium import CHROMIUM
from serving.served import Served
from shoal.web.navigation import SECTIONS
from web.browsing import PHONE, WIDE, Web, drawn
from web.conftest import signed_in
from web.shop import copied

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

OUT = Path(__file__).parents[2] / "docs" / "images" / "web"
HIGHEST = 1_400
LOOKS: dict[str, dict[str, Any]] = {
    "": {"width": WIDE},
    "-dark": {"width": WIDE, "dark": True},
    "-phone": {"width": PHONE},
}
_PIXELS = """async bytes => {
  const picture = await createImageBitmap(await (await fetch("data:image/png;base64," + bytes)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const brush = canvas.getContext("2d");
  brush.drawImage(picture, 0, 0);
  const { data } = brush.getImageData(0, 0, picture.width, picture.height);
  let text = "";
  for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
  return [picture.width, picture.height, btoa(text)];
}"""


def main() -> None:
    """Serve the shop of the tests, and take each page."""
    hatch_build.build()
    wanted = re.compile("|".join(sys.argv[1:]) or ".")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as started:
        cache = Path(tempfile.gettempdir()) / "shoal-web-shop"
        cache.mkdir(exist_ok=True)
        served = Served(Path(place) / "shop", like=copied(cache, Path(place) / "shop"))
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            served.start()
            web = Web(served, browser, {"admin": signed_in(served, "admin")}, None)
            _take(web, browser, wanted)
            web.close()
        finally:
            browser.close()
            served.close()


def _take(web: Web, browser: Any, wanted: re.Pattern[str]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    paper = browser.new_page()
    pages = dict(_paths(web))
    for look, window in LOOKS.items():
        page = web.page(**window)
        for name, path in pages.items():
            if wanted.search(name):
                page.goto(path)
                try:
                    drawn(page)
                except (NotReady, AssertionError) as error:
                    print(f"{path} never came to rest: {str(error).splitlines()[0]}")
                size = _write(paper, _shot(page, window["width"]), OUT / f"{name}{look}.png")
                print(f"{name}{look}.png  {size // 1024} kB")


def _paths(web: Web) -> Iterator[tuple[str, str]]:
    """The name of each picture, and the path of its page."""
    page = web.page()
    for entry in (entry for section in SECTIONS for entry in section.entries):
        name = entry.path.strip("/").replace("/", "-")
        yield name, entry.path
        page.goto(entry.path)
        row = page.query_selector("tr[data-href]")
        if row is not None:
            yield f"{name}-one", str(row.get_attribute("data-href"))


def _shot(page: Any, width: int) -> bytes:
    height = min(HIGHEST, max(800, page.evaluate("document.documentElement.scrollHeight")))
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(400)
    taken: bytes = page.screenshot()
    page.set_viewport_size({"width": width, "height": 900})
    return taken


def _write(paper: Any, png: bytes, path: Path) -> int:
    """Write a picture in at most 256 colours; returns its size in bytes."""
    width, height, text = paper.evaluate(_PIXELS, base64.b64encode(png).decode())
    pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 4)[:, :3]
    palette, places = _reduced(pixels)
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = places.reshape(height, width)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", head), (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    made = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    path.write_bytes(made)
    return len(made)


def _reduced(pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The 256 commonest colours, and for each pixel the nearest of them."""
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
    rgb = np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], 1).astype(np.int32)
    kept = rgb[np.argsort(-counts, kind="stable")[:256]]
    nearest = np.concatenate([
        ((part[:, None, :] - kept[None]) ** 2).sum(2).argmin(1) for part in np.array_split(rgb, 1 + len(rgb) // 4_096)
    ])  # fmt: skip
    return kept.astype(np.uint8), nearest.astype(np.uint8)[places]


if __name__ == "__main__":
    main()
