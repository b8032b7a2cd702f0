"""The models of a workspace: fitting, scoring, reasons, backtests and versions."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.customers.identity import key_of
from shoal.errors import Refused, ShoalError, UnknownName
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.model import Backtest, Model, Score, Settings
    from shoal.insight.models.versions import Version
    from shoal.insight.models.watching import Drifted
    from shoal.workspace.alike import Alike
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace
    from shoal.workspace.retention import Retained

    Step = Callable[[str, int, int], None]


_OBJECTS = (Kind.TEXT, Kind.TEXTS, Kind.YESNO)
SCORED = "scored"
"""The cause of a change of a membership that follows from scores."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a run of models did.

    Args:
        at: the instant that the scores hold from.
        versions: by model, the version that scored.
        fitted: the models that were fitted anew in this run.
        changed: by trait, how many customers got another value.
        skipped: by trait, why it wasn't written.
        refused: by model, why it can't be had from this data.
        drift: by model, the traits that spread otherwise than at the fit: a new fit should be considered.
        entered: memberships that began with the scores.
        left: memberships that ended with them.
    """

    at: int
    versions: Mapping[str, Version] = field(default_factory=dict)
    fitted: tuple[str, ...] = ()
    changed: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    drift: Mapping[str, tuple[Drifted, ...]] = field(default_factory=dict)
    entered: int = 0
    left: int = 0

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "as_of": clock.iso(self.at),
            "models": {name: version.document() for name, version in self.versions.items()},
            "fitted": list(self.fitted),
            "changed": dict(self.changed),
            "skipped": dict(self.skipped),
            "refused": dict(self.refused),
            "drift": {name: [one.document() for one in moved] for name, moved in self.drift.items()},
            "memberships": {"entered": self.entered, "left": self.left},
        }


@dataclass(frozen=True, slots=True)
class _Fit:
    """A new fit with what it says, and what is kept with it."""

    model: Model
    columns: tuple[Score, ...]
    references: Mapping[str, Any]
    frames: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Run:
    """The model that scores, what it says, and new fits with whether they go in force."""

    model: Model
    columns: tuple[Score, ...]
    fits: tuple[tuple[_Fit, bool], ...] = ()
    drift: tuple[Drifted, ...] = ()


class Models:
    """The models of an open workspace, by the names in ``shoal.yaml``; the usual ones are there without asking.

    Those that an experiment taught (``uplift``) are there too, from when they were kept.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __repr__(self) -> str:
        return f"Models({', '.join(self.names())})"

    def names(self) -> list[str]:
        """The models' names."""
        return list(self.every())

    def every(self) -> dict[str, Settings]:
        """By name, what each model is fitted with: those of ``shoal.yaml``, and those that experiments taught."""
        from shoal.insight.models.kinds import TAUGHT

        taught = {v.name: v.settings for v in self.in_force() if v.settings.kind in TAUGHT}
        return taught | dict(self._ws.config.models)

    def settings(self, name: str) -> Settings:
        """What a model is fitted with.

        Raises:
            UnknownName: there is no such model.
        """
        if name in self._ws.config.models:
            return self._ws.config.models[name]
        every = self.every()
        if name not in every:
            raise UnknownName("model", name, every)
        return every[name]

    # ------------------------------------------------------------ fitting and scoring

    def predict(
        self, names: Iterable[str] | None = None, *, refit: bool = False, progress: Step | None = None
    ) -> Predicted:
        """Score all customers now, and publish who enters and leaves by that.

        A model that was never fitted, or whose settings changed, is fitted first. Fitting holds up nothing; what is
        written at the end is one transaction.

        Args:
            names: the models; all by default.
            refit: fit all of them anew. The new fit scores if such a fit foretells the last horizon better than the one in
                force, beyond chance, or if that one has seen that time; else it is kept as a challenger.
            progress: is called with (what, done, total).

        Raises:
            UnknownName: there is no such model.
            Refused: every model that was asked for is refused.
        """
        chosen = [self.settings(name) for name in (names or self.names())]
        at = self._ws.now()
        step = progress or _silent
        runs: list[_Run] = []
        refused: dict[str, str] = {}
        held = {version.name: version for version in self.in_force()}
        with self.as_of(at) as known:
            for done, settings in enumerate(chosen):
                step(f"model {settings.name}", done, len(chosen))
                try:
                    runs.append(self._run(known, settings, held.get(settings.name), refit))
                except Refused as refusal:
                    refused[settings.name] = str(refusal)
        if not runs:
            raise Refused(" ".join(refused.values()), fix="See docs/predictions.md for what each model needs.")
        step("writing scores", len(chosen), len(chosen))
        return self._write(at, runs, refused)

    def _write(self, at: int, runs: Sequence[_Run], refused: Mapping[str, str]) -> Predicted:
        from shoal.insight.models import versions

        ws = self._ws
        scoring: dict[str, Version] = {}
        changed: dict[str, int] = {}
        skipped: dict[str, str] = {}
        with self.writing():
            for run in runs:
                name = run.model.settings.name
                for fit, in_force in run.fits:
                    kept = versions.keep(
                        ws.store, fit.model, at, in_force=in_force, references=fit.references, frames=fit.frames
                    )
                    if in_force:
                        # Not what is in force now: another run may have put its own there meanwhile.
                        scoring[name] = kept
                if name not in scoring:
                    scoring[name] = versions.version(ws.store, name)
                written, left_out = self.put(f"model {name}", run.columns, at, noted(scoring[name]))
                changed |= written
                skipped |= left_out
            entered, left = self.publish()
        ws.refresh()
        fitted = tuple(run.model.settings.name for run in runs if run.fits)
        drift = {run.model.settings.name: run.drift for run in runs if run.drift}
        return Predicted(at, scoring, fitted, changed, skipped, dict(refused), drift, entered, left)

    def take(self, model: Model, frames: Mapping[str, Sequence[Mapping[str, Any]]] | None = None) -> Predicted:
        """Keep a model that something else than the store taught, and let it score all customers now.

        Args:
            model: it.
            frames: rows for charts that are kept with it.
        """
        from shoal.insight.models.watching import references

        at = self._ws.now()
        with self.as_of(at) as known:
            columns = model.scores(known)
        fit = _Fit(model, columns, references(columns), frames or {})
        return self._write(at, [_Run(model, columns, ((fit, True),))], {})

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction for all that a run writes."""
        with self._ws.changing(), self._ws.store.transaction():
            yield

    def put(
        self,
        by: str,
        scores: Sequence[Score],
        at: int,
        note: Mapping[str, Any],
        *,
        whole: bool = True,
        complete: bool = True,
    ) -> tuple[dict[str, int], dict[str, str]]:
        """Write columns of scores as traits; arguments and result as of ``insight.models.writing.write``."""
        from shoal.insight.models.writing import write

        done = write(self._ws.store, by, scores, at, self._ws.now(), note, whole=whole, complete=complete)
        self._ws.refresh()
        return done

    def publish(self) -> tuple[int, int]:
        """Publish who enters and leaves by the scores; how many of each."""
        moved = self._ws.segments.publish(because=SCORED).changes.values()
        return sum(entered for entered, _ in moved), sum(left for _, left in moved)

    def _run(self, known: AsOf, settings: Settings, held: Version | None, refit: bool) -> _Run:
        """What a model says now, fitted where that is needed; ``held`` is the version in force."""
        from shoal.insight.models.kinds import TAUGHT
        from shoal.insight.models.watching import drifted

        if held is None or held.settings != settings or (refit and settings.kind not in TAUGHT):
            fit = self._fitted(known, settings)
            if held is None or held.settings != settings or self._wins(known, held):
                return _Run(fit.model, fit.columns, ((fit, True),))
            champion = restored(held)
            return _Run(champion, champion.scores(known), ((fit, False),))
        model = restored(held)
        columns = model.scores(known)
        moved = tuple(one for one in drifted(held.references, columns) if one.alarming)
        return _Run(model, columns, drift=moved)

    def _fitted(self, known: AsOf, settings: Settings) -> _Fit:
        """A fit, with how well such a fit would have done a horizon ago as its evidence."""
        from shoal.insight.models.kinds import kind
        from shoal.insight.models.watching import references

        made = kind(settings.kind)
        model = made.fitted(known, settings)
        frames: Mapping[str, Any] = {}
        try:
            tried = made.backtest(known, settings, periods=1)
        except Refused as refusal:
            note = f"It couldn't be tried on earlier data, so nothing says how well it does. {refusal.problem}"
            model.evidence = replace(model.evidence, notes=(*model.evidence.notes, note))
        else:
            frames = tried.frames
            last = tried.periods[-1]
            measures = (*model.evidence.measures, *last.measures)
            model.evidence = replace(model.evidence, measures=measures, leads=last.leads)
        columns = model.scores(known)
        return _Fit(model, columns, references(columns), frames)

    def _wins(self, known: AsOf, held: Version) -> bool:
        """Whether a new fit takes over: one of a horizon ago foretold what came since better than the version in force did,
        and the interval of the difference excludes 0."""
        from shoal.insight.models.contest import against
        from shoal.insight.models.kinds import kind

        made = kind(held.settings.kind)
        cut = known.at - made.horizon_of(held.settings) * clock.DAY
        if held.evidence.until > cut:
            # It has seen what it would be judged by: nothing can be said yet, and the data are newer.
            return True
        with known.before(cut) as before:
            try:
                rival = made.fitted(before, held.settings).judged(before, known).contest
            except Refused:
                return False
            try:
                mine = restored(held).judged(before, known).contest
            except Refused:
                # The version in force can say nothing of today's customers, and a new one can.
                return rival is not None
        if rival is None or mine is None:
            return False
        lead = against(rival, mine, made.by, higher=made.higher)
        return lead is not None and lead.sure

    def rescore(self) -> tuple[str, ...]:
        """Work out anew what follows from the fitted parameters and the customers' own events, as after a load.

        Returns:
            What the reader should know, as that a score couldn't be worked out and stays as it was.
        """
        from shoal.insight.models import versions

        notes: list[str] = []
        at = self._ws.now()
        with self.as_of(at) as known:
            for name, number in versions.chosen(self._ws.store).items():
                if name not in self._ws.config.models:
                    continue
                try:
                    version = versions.version(self._ws.store, name, number)
                    if not is_event_driven(version):
                        continue
                    columns = own_scores(version, known)
                except ShoalError as error:
                    notes.append(f"Scores of {name} stay as they were: {error}")
                    continue
                self.put(f"model {name}", columns, at, noted(version), complete=False)
        return tuple(notes)

    # ------------------------------------------------------------ looking

    def lookalike(self, segment: str, *, without: Collection[str] = (), as_of: When = None) -> Alike:
        """Who is most like a segment's members; see ``workspace.alike.alike``."""
        from shoal.workspace.alike import alike

        return alike(self._ws, segment, without=without, as_of=as_of)

    def retention(
        self,
        *,
        by: str | None = None,
        segments: Collection[str] = (),
        ahead: int | None = None,
        as_of: When = None,
        **rule: str | None,
    ) -> Retained:
        """Who under contract stays how long; see ``workspace.retention.retention``."""
        from shoal.workspace.retention import retention

        return retention(self._ws, by=by, segments=segments, ahead=ahead, as_of=as_of, **rule)

    def as_of(self, when: When = None) -> AsOf:
        """The store as of an instant, as models read it; use it as a context manager."""
        from shoal.insight.models.asof import AsOf

        return AsOf(self._ws.store, self._ws.config.revenue, self._ws.schema, self._ws.instant(when))

    def backtest(self, name: str, *, periods: int = 3, as_of: When = None) -> Backtest:
        """How a model would have done at earlier dates, beside its baselines.

        Raises:
            UnknownName: there is no such model.
            Refused: the history is too short.
        """
        from shoal.insight.models.kinds import kind

        settings = self.settings(name)
        with self.as_of(as_of) as known:
            return kind(settings.kind).backtest(known, settings, periods)

    def reasons(self, customer: str | int, name: str | None = None) -> dict[str, tuple[str, ...]]:
        """What a customer's scores rest on, by model, in plain words.

        Args:
            customer: an id.
            name: one model; all that are fitted by default.

        Raises:
            UnknownName: there is no such customer or model.
        """
        key = key_of(self._ws.store, customer)
        held = [self.version(name)] if name else self.in_force()
        with self.as_of() as known:
            return {v.name: restored(v).reasons(known, key) for v in held}

    def versions(self, name: str | None = None) -> list[Version]:
        """All versions, the newest first."""
        from shoal.insight.models import versions

        return versions.versions(self._ws.store, name)

    def in_force(self) -> list[Version]:
        """The versions that score, by name."""
        from shoal.insight.models import versions

        return versions.in_force(self._ws.store)

    def version(self, name: str, number: int | None = None) -> Version:
        """A version; without a number, the one that scores.

        Raises:
            UnknownName: there is no such model or version.
            Refused: the model was never fitted.
        """
        from shoal.insight.models import versions

        if name in self._ws.config.models and not versions.versions(self._ws.store, name):
            raise Refused(f"The model {name} isn't fitted yet.", fix=f"Fit it: shoal predict {name}")
        return versions.version(self._ws.store, name, number)

    def drift(self, name: str | None = None) -> dict[str, list[Drifted]]:
        """Whether scores spread over customers as they did at the fit, by model.

        Args:
            name: one model; all that are fitted by default.

        Raises:
            UnknownName: there is no such model.
        """
        from shoal.insight.models.watching import drifted

        held = [self.version(name)] if name else self.in_force()
        with self.as_of() as known:
            return {v.name: drifted(v.references, restored(v).scores(known)) for v in held}

    def use(self, name: str, version: int) -> None:
        """Let another version of a model score from the next run on.

        Raises:
            UnknownName: there is no such model or version.
        """
        from shoal.insight.models import versions

        with self._ws.store.transaction():
            versions.put_in_force(self._ws.store, name, version, self._ws.now())


def is_event_driven(version: Version) -> bool:
    """Whether a model has scores that follow the customers' own events.

    Raises:
        Refused: a library that it needs isn't installed.
    """
    from shoal.insight.models.kinds import kind

    return kind(version.settings.kind).event_driven


def own_scores(version: Version, known: AsOf) -> list[Score]:
    """The scores of a version that follow the customers' own events."""
    return [score for score in restored(version).scores(known) if score.event_driven]


def for_everybody(score: Score, known: AsOf) -> Score:
    """The same column with a missing value for each of ``known.customers`` who has none, which clears what they had."""
    import numpy as np

    rest = np.setdiff1d(known.customers, np.asarray(score.owners))
    if not len(rest):
        return score
    nothing = [None] * len(rest) if score.kind in _OBJECTS else np.full(len(rest), np.nan)
    values = (
        [*score.values, *nothing] if score.kind in _OBJECTS else np.concatenate([np.asarray(score.values), nothing])
    )
    return replace(score, owners=np.concatenate([np.asarray(score.owners), rest]), values=values)


def noted(version: Version) -> dict[str, Any]:
    """What is kept with the traits that a version writes."""
    return {"model": version.name, "version": version.number}


def restored(version: Version) -> Model:
    """The fitted model of a version."""
    from shoal.insight.models.kinds import kind

    return kind(version.settings.kind).restored(version.settings, version.evidence, version.state)


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""
