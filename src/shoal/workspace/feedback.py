"""What the customers of a workspace say: scores, moods, topics, needs, and what they did after."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shoal.insight.evaluation import Evaluation
    from shoal.insight.feedback.asked import Question
    from shoal.insight.feedback.heard import Heard
    from shoal.insight.feedback.link import Link
    from shoal.insight.feedback.moods import Moods
    from shoal.insight.feedback.scores import Scores
    from shoal.insight.feedback.themes import Themes
    from shoal.insight.texts.needs import Needs
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace

    Step = Callable[[str, int, int], None]

BY = "feedback"
WATCHED_DAYS = 90


@dataclass(frozen=True, slots=True)
class Written:
    """What writing the moods as a trait did.

    Args:
        at: the instant that the values hold from.
        changed: by trait, how many customers got another value.
        skipped: by trait, why it wasn't written.
        entered: memberships that began with it.
        left: memberships that ended with it.
    """

    at: int
    changed: dict[str, int]
    skipped: dict[str, str]
    entered: int
    left: int

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "as_of": clock.iso(self.at),
            "changed": self.changed,
            "skipped": self.skipped,
            "memberships": {"entered": self.entered, "left": self.left},
        }


class Feedback:
    """The feedback of an open workspace, everywhere by segment."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __repr__(self) -> str:
        return "Feedback(nps, csat, sentiment, topics, needs, heard, link, write)"

    # ------------------------------------------------------------ scores

    def nps(self, *, as_of: When = None) -> Scores:
        """The net promoter score of everyone and of each segment, with adjusted Wald intervals, and who answered.

        Raises:
            Refused: nobody was asked, or nobody answered.
        """
        return self._scores("nps", as_of)

    def csat(self, *, as_of: When = None) -> Scores:
        """The share of satisfied answers of everyone and of each segment, with Wilson's intervals, and who answered.

        Raises:
            Refused: nobody was asked, or nobody answered.
        """
        return self._scores("csat", as_of)

    def _scores(self, measure: str, as_of: When) -> Scores:
        # Before anybody is counted: where nobody was asked, nothing is evaluated.
        self._asked(measure)
        with self._evaluated(as_of) as found:
            return self._scores_of(measure, found)

    def _asked(self, measure: str) -> Question:
        from shoal.insight.feedback.asked import asked

        return asked(self._ws.store, measure, self._ws.config.feedback)

    def _scores_of(self, measure: str, found: Evaluation) -> Scores:
        from shoal.insight.feedback.scores import scores
        from shoal.insight.sales import open_sales

        ws, question = self._ws, self._asked(measure)
        with open_sales(ws.store, ws.config.revenue, found.at) as sales:
            answered = scores(ws.store, found, sales, question)
        if answered is None:
            raise Refused(f"Nobody has answered {question.words} on its scale yet.")
        return answered

    def link(self, *, measure: str = "nps", days: int = WATCHED_DAYS, as_of: When = None) -> Link:
        """What customers did in the days after their answer, by what they answered. Observed: it shows no causes.

        Args:
            measure: ``nps`` or ``csat``.
            days: how long each is watched after the answer.
            as_of: the instant; now by default.

        Raises:
            Refused: nobody was asked, or no answer has so many days behind it.
        """
        from shoal.insight.feedback.asked import SCALES, asked
        from shoal.insight.feedback.link import link
        from shoal.insight.sales import open_sales

        ws = self._ws
        if measure not in SCALES:
            raise Refused(f"{measure!r} isn't asked in a survey.", fix=f"Take one of: {', '.join(SCALES)}.")
        if days < 1:
            raise Refused("Customers are watched for a day at least.")
        question = asked(ws.store, measure, ws.config.feedback)
        with open_sales(ws.store, ws.config.revenue, ws.instant(as_of)) as sales:
            return link(ws.store, sales, question, days)

    # ------------------------------------------------------------ words

    def sentiment(self, *, as_of: When = None) -> Moods:
        """The mood of what customers wrote, by segment. English is scored; other languages are counted.

        Raises:
            Refused: there is no text.
        """
        with self._evaluated(as_of) as found:
            return self._moods_of(found)

    def _moods_of(self, found: Evaluation) -> Moods:
        from shoal.insight.feedback.members import members
        from shoal.insight.feedback.moods import moods, scored
        from shoal.insight.feedback.texts import read_texts

        rule = self._ws.config.feedback
        texts = read_texts(self._ws.store, found.at, rule)
        return moods(texts, scored(texts, rule), members(self._ws.store, found))

    def topics(self, *, as_of: When = None) -> Themes:
        """What customers write about, by segment, with what some of them said; personal data is blacked out.

        Raises:
            Refused: fewer than fifty different texts; or the extra ``models`` isn't installed.
        """
        with self._evaluated(as_of) as found:
            return self._topics_of(found)

    def _topics_of(self, found: Evaluation) -> Themes:
        from shoal.insight.feedback.members import members
        from shoal.insight.feedback.moods import scored
        from shoal.insight.feedback.texts import MOST_FOR_TOPICS, read_texts
        from shoal.insight.feedback.themes import themes

        rule = self._ws.config.feedback
        texts = read_texts(self._ws.store, found.at, rule, MOST_FOR_TOPICS)
        people = members(self._ws.store, found)
        try:
            return themes(self._ws.store, found.at, texts, scored(texts, rule), people)
        except ImportError:
            raise Refused("Topics need scikit-learn.", fix="Install the extra: pip install 'shoal[models]'.") from None

    def needs(self, *, as_of: When = None) -> Needs:
        """The needs that are missed: topics that a segment's unhappy people write about more than all others.

        Raises:
            Refused: as of ``topics``.
        """
        return self.topics(as_of=as_of).needs

    def heard(self, *, as_of: When = None) -> Heard:
        """Scores, moods and topics as far as the data bears them, and why not the rest; segments are evaluated once."""
        from shoal.insight.feedback.heard import Heard

        parts: Mapping[str, Callable[[Evaluation], Any]] = {
            "nps": lambda found: self._scores_of("nps", found),
            "csat": lambda found: self._scores_of("csat", found),
            "sentiment": self._moods_of,
            "topics": self._topics_of,
        }
        told: dict[str, Any] = {}
        missing: dict[str, str] = {}
        with self._evaluated(as_of) as found:
            for name, part in parts.items():
                try:
                    told[name] = part(found)
                except Refused as refusal:
                    missing[name] = str(refusal)
        scores: dict[str, Scores] = {name: told[name] for name in ("nps", "csat") if name in told}
        return Heard(scores, told.get("sentiment"), told.get("topics"), missing)

    def write(self, *, progress: Step | None = None) -> Written:
        """Write the mood of each customer's newest English text as the trait ``sentiment``, and publish who moves by it.

        Raises:
            Refused: no text could be scored.
        """
        from shoal.insight.feedback.moods import sentiment_scores

        ws = self._ws
        at = ws.now()
        score = sentiment_scores(ws.store, at, ws.config.feedback, progress)
        if score is None:
            raise Refused("No customer's own English words were found, so there is no mood to write.")
        # As scores of models are written: beside a server they are entries of its log, so that calls go on meanwhile.
        with ws.models.writing():
            changed, skipped = ws.models.put(BY, [score], at, {})
            ws.refresh()
            entered, left = ws.models.publish()
        ws.refresh()
        return Written(at, changed, skipped, entered, left)

    @contextmanager
    def _evaluated(self, as_of: When) -> Iterator[Evaluation]:
        """Who is in which segment; segments of which nothing can be said at the instant are left out."""
        from shoal.insight.evaluation import Without
        from shoal.insight.standing import unscored

        ws = self._ws
        found = ws.segments.evaluate(as_of=as_of)
        try:
            yield Without(found, unscored(ws.store, ws.definitions, found.at))
        finally:
            found.close()
