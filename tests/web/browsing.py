"""Pages in a real browser: what they complain of and ask for is noted, and fails the test."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hatch_build

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from serving.served import Served

WIDE, PHONE = 1280, 390
SERIOUS = ("serious", "critical")
_RUN = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map(v => ({ id: v.id, impact: v.impact, help: v.help,
    nodes: v.nodes.slice(0, 5).map(n => n.html.slice(0, 200) + " — " + n.failureSummary) }));
}"""


@cache
def axe() -> str:
    """The source of axe-core, from the packages that the assets are built with."""
    return (hatch_build.packages() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def looked(page: Any) -> None:
    """Fail where axe-core finds a serious or critical violation on the page as it stands."""
    page.evaluate(axe())
    found = [v for v in page.evaluate(_RUN) if v["impact"] in SERIOUS]
    told = "\n\n".join(f"{v['id']} ({v['impact']}): {v['help']}\n" + "\n".join(v["nodes"]) for v in found)
    assert not found, f"{page.url}\n{told}"


def fits(page: Any) -> None:
    """Fail where the page can be scrolled sideways."""
    width, most = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= most, f"{page.url} is {width} pixels wide in a window of {most}"


def drawn(page: Any) -> None:
    """Wait until all lazy parts and charts of the page are there; charts out of sight are scrolled to."""
    none_left(page, '.lazy:not([hx-trigger="never"]), .htmx-request')
    for chart in page.query_selector_all("[data-chart]"):
        chart.scroll_into_view_if_needed()
    none_left(page, ".art[aria-busy]")
    page.evaluate("scrollTo(0, 0)")


def none_left(page: Any, selector: str, seconds: float = 90) -> None:
    """Wait until nothing on the page fits a selector. Playwright's ``wait_for_function`` needs the eval that pages forbid."""
    from playwright.sync_api import expect

    expect(page.locator(selector)).to_have_count(0, timeout=1_000 * seconds)


class Web:
    """A served workspace and a browser in which people are signed in.

    Args:
        served: the server.
        browser: Playwright's.
        secrets: of each one's browser, by role.
        shots: where pictures are put; None where nobody wants any.
    """

    def __init__(self, served: Served, browser: Any, secrets: dict[str, str], shots: Path | None) -> None:
        self.served, self.folder, self.url = served, served.folder, f"http://127.0.0.1:{served.port}"
        self._browser, self._secrets, self._shots = browser, secrets, shots
        self._contexts: list[Any] = []
        self._allowed: list[str] = []
        self.complaints: list[str] = []
        """What browsers complained of, and what pages asked for elsewhere."""

    # ------------------------------------------------------------ pages

    def page(
        self, role: str | None = "admin", *, width: int = WIDE, height: int = 900, dark: bool = False, **more: Any
    ) -> Any:
        """A page of a browser of its own.

        Args:
            role: whose it is; None: nobody is signed in.
            width: of the window.
            height: of the window.
            dark: whether the machine prefers dark.
            more: for Playwright's ``new_context``.
        """
        context = self._browser.new_context(
            base_url=self.url, viewport={"width": width, "height": height}, accept_downloads=True,
            color_scheme="dark" if dark else "light", reduced_motion="reduce", **more,
        )  # fmt: skip
        self._contexts.append(context)
        if role is not None:
            context.add_cookies([{"name": "shoal_session", "value": self._secrets[role], "url": self.url}])
        page = context.new_page()
        page.on("console", lambda said: self._complain(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.on("request", lambda request: self._ask(request.url))
        return page

    def http(self, role: str = "admin") -> httpx.Client:
        """A client with the cookie of a role, for what needs no browser; the caller closes it."""
        import httpx

        return httpx.Client(base_url=self.url, cookies={"shoal_session": self._secrets[role]}, timeout=30)

    def _complain(self, text: str) -> None:
        if not any(re.search(allowed, text) for allowed in self._allowed):
            self.complaints.append(text)

    def _ask(self, url: str) -> None:
        if not url.startswith((f"{self.url}/", "data:", "blob:")):
            self.complaints.append(f"asked for {url}")

    @contextmanager
    def expecting(self, pattern: str) -> Iterator[None]:
        """Let complaints be that fit a pattern, as those of a page that is refused: ``403``."""
        self._allowed.append(pattern)
        yield

    def close(self) -> None:
        """Close the browsers, and fail where one of them complained."""
        for context in self._contexts:
            context.close()
        log = (self.folder / "serve.log").read_text(encoding="utf-8").splitlines()[-3:]
        assert not self.complaints, "\n".join([*self.complaints, "The server said at last:", *log])

    # ------------------------------------------------------------ looking

    def shot(self, page: Any, name: str) -> None:
        """Take a picture of the whole page, where ``SHOAL_SHOTS`` names a folder for them."""
        if self._shots is not None:
            self._shots.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self._shots / f"{name}.png", full_page=True)
