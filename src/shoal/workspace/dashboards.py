"""The dashboards of a workspace: reading, saving, answering and handing them out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import Refused, ShoalError, UnknownName, unwritten
from shoal.views.dashboards import catalogue as files
from shoal.views.dashboards.answers import Answer, Filled
from shoal.views.dashboards.periods import read_period
from shoal.views.dashboards.reading import read_dashboard, read_tile
from shoal.views.dashboards.writing import comments_lost, written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shoal.views.dashboards.catalogue import Dashboards
    from shoal.views.dashboards.definition import Dashboard, Tile
    from shoal.workspace.opening import Workspace

    Step = Callable[[str, int, int], None]
    Question = Callable[..., dict[str, Any]]

FORMS = (".html", ".pdf", ".png", ".svg", ".json", ".yaml")
"""What a dashboard can be handed out as."""


class Changed(ShoalError):
    """Somebody else saved the file since it was read."""

    exit_code = 1


class CommentsLost(ShoalError):
    """Saving would lose comments that somebody wrote into the file."""

    exit_code = 1


class DashboardsDoor:
    """The dashboards of an open workspace; it is ``workspace.dashboards``."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __repr__(self) -> str:
        return "Dashboards(catalogue, find, save, remove, answer, fill, export)"

    # ------------------------------------------------------------ what there is

    def catalogue(self) -> Dashboards:
        """All dashboards: the workspace's files, and those that ship."""
        return files.read_dashboards(self._ws.config.root)

    def find(self, name: str) -> Dashboard:
        """The dashboard of a slug or title.

        Raises:
            UnknownName: there is none.
            DefinitionError: its file has a fault.
        """
        return self.catalogue().find(name)

    # ------------------------------------------------------------ changing

    def save(self, dashboard: Dashboard, *, base: str = "", lose_comments: bool = False) -> str:
        """Write a dashboard's file.

        Args:
            dashboard: which; of one that ships, the file that stands in for it from now on.
            base: the mark of the file that it was made from; empty where there was none.
            lose_comments: whether comments within the old file may be lost. Those at its head are kept.

        Returns:
            The mark of the new file.

        Raises:
            Changed: the file isn't what ``base`` says any more.
            CommentsLost: there are comments, and nobody agreed that they be lost.
            DefinitionError: the dashboard isn't one.
            StoreError: it can't be written.
        """
        return save_file(self._ws.config.root, dashboard, base=base, lose_comments=lose_comments)

    def remove(self, slug: str) -> None:
        """Remove a dashboard's file; one that ships is as it ships then.

        Raises:
            UnknownName: there is no such file.
            StoreError: it can't be removed.
        """
        remove_file(self._ws.config.root, slug)

    # ------------------------------------------------------------ answers

    def answer(
        self, tile: Tile | Mapping[str, Any], *, segment: str = "", period: str = "", width: int = 640
    ) -> Answer:
        """The answer to a tile's question; what the data lacks for it is told in it.

        Args:
            tile: which, or as a file has it.
            segment: slug or name of the segment whose members alone are looked at.
            period: as ``last 12 months``; a year by default.
            width: of a chart, in pixels.

        Raises:
            DefinitionError: the tile isn't one.
            Refused: the period isn't one.
            UnknownName: there is no such segment.
        """
        from shoal.views.dashboards.definition import PERIOD, Tile
        from shoal.workspace.tiles import answer

        asked = tile if isinstance(tile, Tile) else read_tile(dict(tile))
        read_period(period or PERIOD)
        named = self._ws.segments.known().find(segment).slug if segment else ""
        return answer(self._ws, asked, segment=named, period=period or PERIOD, width=width)

    def fill(
        self, name: str | Dashboard, *, segment: str | None = None, period: str = "", progress: Step | None = None
    ) -> tuple[Dashboard, Filled]:
        """A dashboard with the answers of all its tiles.

        Args:
            name: slug or title, or a dashboard.
            segment: in the place of the dashboard's own; empty for everyone.
            period: in the place of the dashboard's own.
            progress: is called with (what, done, total).
        """
        from shoal.views.dashboards.sheet import width_of

        one = self.find(name) if isinstance(name, str) else name
        chosen = one.segment if segment is None else segment
        span = period or one.period
        answers = {}
        for done, (number, tile) in enumerate(one.placed(), 1):
            answers[number] = self.answer(tile, segment=chosen, period=span, width=width_of(tile))
            if progress is not None:
                progress("answering tiles", done, len(one.tiles))
        whose = self._ws.segments.known().find(chosen).name if chosen else "Everyone"
        return one, Filled(answers, f"{whose}, {span}")

    def export(
        self, name: str, path: str | Path, *, segment: str | None = None, period: str = "", progress: Step | None = None
    ) -> Path:
        """Write a dashboard with its figures as ``.html``, ``.pdf``, ``.png``, ``.svg`` or ``.json``; as ``.yaml`` what it is.

        Args:
            name: slug or title.
            path: of the file; an older one is replaced whole, or not at all.
            segment: in the place of the dashboard's own; empty for everyone.
            period: in the place of the dashboard's own.
            progress: is called with (what, done, total).

        Raises:
            Refused: for another ending.
            StoreError: it can't be written.
        """
        to = Path(path)
        if to.suffix.lower() not in FORMS:
            raise Refused(
                f"A dashboard isn't written as {to.suffix or to.name!r}.", fix=f"End the name in {', '.join(FORMS)}."
            )
        if to.suffix.lower() == ".yaml":
            catalogue = self.catalogue()
            return _replaced(to, catalogue.text(catalogue.find(name).slug).encode())
        one, filled = self.fill(name, segment=segment, period=period, progress=progress)
        return _replaced(to, self.handed_out(one, filled, to.suffix.lower()))

    def handed_out(self, dashboard: Dashboard, filled: Filled, form: str) -> bytes:
        """A filled dashboard as a file's content.

        Args:
            dashboard: which.
            filled: its answers.
            form: one of ``FORMS`` but ``.yaml``.
        """
        from shoal.views.dashboards import paper, sheet

        if form == ".json":
            return _json(self.document(dashboard, filled))
        head = sheet.Heading(self._ws.config.name, self._ws.now(), self._ws.config.zone, self._ws.config.currency)
        if form == ".html":
            return paper.html(dashboard, filled, head).encode()
        svg = sheet.svg(dashboard, filled, head)
        if form == ".svg":
            return svg.encode()
        return sheet.png(svg) if form == ".png" else sheet.pdf(svg)

    def document(self, dashboard: Dashboard, filled: Filled) -> dict[str, Any]:
        """A filled dashboard, JSON-ready."""
        tiles = []
        for number, tile in enumerate(dashboard.tiles):
            found = filled.answers[number].document()
            found["at"] = clock.iso(found["at"])
            found["reached"] = None if found["reached"] is None else clock.iso(found["reached"])
            tiles.append({**tile.document(), "answer": found})
        return {
            "slug": dashboard.slug, **dashboard.document(), "as_of": clock.iso(self._ws.now()), "filtered": filled.filters,
            "tiles": tiles,
        }  # fmt: skip


def save_file(root: Path, dashboard: Dashboard, *, base: str = "", lose_comments: bool = False) -> str:
    """Write a dashboard's file below a workspace's folder; see ``DashboardsDoor.save``."""
    from shoal.insight.definitions import write_atomically

    folder = files.folder_of(root)
    path = folder / f"{dashboard.slug}.yaml"
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    if (files.mark_of(old) if path.exists() else "") != base:
        raise Changed(
            f"{dashboard.title!r} was saved by somebody else meanwhile." if path.exists() else "Its file was removed meanwhile.",
            place=f"dashboards/{path.name}", fix="Open it again, and repeat what you changed; or save it under another name.",
        )  # fmt: skip
    lost = comments_lost(old) if old else 0
    if lost and not lose_comments:
        raise CommentsLost(
            f"The file has {lost} comment{'s' if lost > 1 else ''} that would be lost.", place=f"dashboards/{path.name}",
            fix="Agree to lose them, or change the file by hand. Comments at its head are kept.",
        )  # fmt: skip
    text = written(dashboard, old)
    # What is written is read first: a file that can't be read again would take the dashboard away.
    read_dashboard(text, slug=dashboard.slug, place=f"dashboards/{path.name}")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise unwritten(error, folder) from error
    write_atomically(path, text)
    return files.mark_of(text)


def remove_file(root: Path, slug: str) -> None:
    """Remove a dashboard's file; see ``DashboardsDoor.remove``."""
    path = files.folder_of(root) / f"{slug}.yaml"
    if not path.exists():
        raise UnknownName("dashboard", slug, [one.stem for one in files.folder_of(root).glob("*.yaml")])
    try:
        path.unlink()
    except OSError as error:
        raise unwritten(error, path) from error


def renamed(dashboard: Dashboard, slug: str, title: str = "") -> Dashboard:
    """The same dashboard under another name."""
    return replace(dashboard, slug=slug, title=title or dashboard.title)


def _json(document: dict[str, Any]) -> bytes:
    import json

    return (json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n").encode()


def _replaced(path: Path, content: bytes) -> Path:
    from shoal.destinations.files import write_whole

    try:
        return write_whole(path, content)
    except OSError as error:
        raise unwritten(error, path) from error


def tile_answer(workspace: Workspace, tile: dict[str, Any], **asked: Any) -> dict[str, Any]:
    """The answer to a tile's question, JSON-ready: what a server has asked of another process."""
    return workspace.dashboards.answer(tile, **asked).document()


def file_answer(workspace: Workspace, *, name: str, segment: str, period: str, form: str) -> dict[str, Any]:
    """A dashboard as a file's content in base 64: what a server has asked of another process."""
    from base64 import b64encode

    one, filled = workspace.dashboards.fill(name, segment=segment, period=period)
    return {"content": b64encode(workspace.dashboards.handed_out(one, filled, form)).decode()}


QUESTIONS: dict[str, Question] = {"tile": tile_answer, "dashboard file": file_answer}
"""What can be asked of another process, by name."""
