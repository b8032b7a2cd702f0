"""The doors of a workspace, one for each thing that can be asked of it; each is made when it is first opened."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from shoal.workspace.actions import Actions
    from shoal.workspace.attribution import Attributed, CostKpis
    from shoal.workspace.audit import Audit
    from shoal.workspace.customers import Customers, Lists
    from shoal.workspace.dashboards import DashboardsDoor
    from shoal.workspace.data import Data
    from shoal.workspace.discovery import Discoveries
    from shoal.workspace.experiments import ExperimentsDoor
    from shoal.workspace.feedback import Feedback
    from shoal.workspace.journeys import Journeys
    from shoal.workspace.keys import Keys
    from shoal.workspace.metrics import MetricsDoor
    from shoal.workspace.models import Models
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace
    from shoal.workspace.people import People
    from shoal.workspace.pilots import Board, PilotsDoor
    from shoal.workspace.planning import Plans
    from shoal.workspace.privacy import Privacy
    from shoal.workspace.reports import Reports
    from shoal.workspace.scheduling import Jobs
    from shoal.workspace.segments import Segments
    from shoal.workspace.sign_ins import SignIns
    from shoal.workspace.uplift import Uplifted


class Doors:
    """The doors; a workspace has them."""

    @property
    def _whole(self) -> Workspace:
        return cast("Workspace", self)

    @cached_property
    def data(self) -> Data:
        """Loading, data quality and quarantine."""
        from shoal.workspace.data import Data

        return Data(self._whole)

    @cached_property
    def segments(self) -> Segments:
        """Segments: sizes, members, why, adding and changing."""
        from shoal.workspace.segments import Segments

        return Segments(self._whole)

    @cached_property
    def customers(self) -> Customers:
        """Single customers: profile, timeline, memberships."""
        from shoal.workspace.customers import Customers

        return Customers(self._whole)

    @cached_property
    def models(self) -> Models:
        """Models: scores of all customers, reasons, backtests, versions."""
        from shoal.workspace.models import Models

        return Models(self._whole)

    @cached_property
    def metrics(self) -> MetricsDoor:
        """Metrics: definitions, and figures by period, segment and group."""
        from shoal.workspace.metrics import MetricsDoor

        return MetricsDoor(self._whole)

    @cached_property
    def journeys(self) -> Journeys:
        """Funnels, paths, sessions, cohorts, and lifecycle over time."""
        from shoal.workspace.journeys import Journeys

        return Journeys(self._whole)

    @cached_property
    def dashboards(self) -> DashboardsDoor:
        """Dashboards: what they show, with their figures."""
        from shoal.workspace.dashboards import DashboardsDoor

        return DashboardsDoor(self._whole)

    @cached_property
    def actions(self) -> Actions:
        """What to do next with each segment, and what it rests on."""
        from shoal.workspace.actions import Actions

        return Actions(self._whole)

    @cached_property
    def feedback(self) -> Feedback:
        """What customers say: scores, moods, topics, needs, and what they did after."""
        from shoal.workspace.feedback import Feedback

        return Feedback(self._whole)

    @cached_property
    def discovery(self) -> Discoveries:
        """Micro-segments: finding them, assigning customers to them, what changed."""
        from shoal.workspace.discovery import Discoveries

        return Discoveries(self._whole)

    @cached_property
    def lists(self) -> Lists:
        """Hand-kept lists of customers."""
        from shoal.workspace.customers import Lists

        return Lists(self._whole)

    @cached_property
    def plan(self) -> Plans:
        """The tracking plan: what calls are held against, a first one, and what didn't fit."""
        from shoal.workspace.planning import Plans

        plans = Plans(self._whole)
        plans.look()
        return plans

    @cached_property
    def privacy(self) -> Privacy:
        """A person's rights: erasure, export; and how long events are kept."""
        from shoal.workspace.privacy import Privacy

        return Privacy(self._whole)

    @cached_property
    def experiments(self) -> ExperimentsDoor:
        """Experiments: what they ask, who is in which arm, and what came of it."""
        from shoal.workspace.experiments import ExperimentsDoor

        return ExperimentsDoor(self._whole)

    @cached_property
    def pilots(self) -> PilotsDoor:
        """Pilots: what they promise, their start with its baseline, and what came of them."""
        from shoal.workspace.pilots import PilotsDoor

        return PilotsDoor(self._whole)

    def scoreboard(self, *, as_of: When = None) -> Board:
        """What every campaign brought that customers were held out of by lot, and which can't be measured.

        Args:
            as_of: the instant; now by default.
        """
        from shoal.workspace.pilots import board

        return board(self._whole, as_of)

    def attribution(self, **asked: Any) -> Attributed:
        """Which channels conversions are credited to; see ``workspace.attribution.attribution``."""
        from shoal.workspace.attribution import attribution

        return attribution(self._whole, **asked)

    def costs(self, **asked: Any) -> CostKpis:
        """Cost KPIs, of what was spent; see ``workspace.attribution.costs``."""
        from shoal.workspace.attribution import costs

        return costs(self._whole, **asked)

    @cached_property
    def reports(self) -> Reports:
        """Charts and the report."""
        from shoal.workspace.reports import Reports

        return Reports(self._whole)

    @cached_property
    def keys(self) -> Keys:
        """Keys for the HTTP interface."""
        from shoal.workspace.keys import Keys

        return Keys(self._whole.store)

    @cached_property
    def people(self) -> People:
        """Those who work with the workspace: roles and passwords."""
        from shoal.workspace.people import People

        return People(self._whole.store)

    @cached_property
    def sign_ins(self) -> SignIns:
        """Browsers that are signed in, and links that sign in once."""
        from shoal.workspace.sign_ins import SignIns

        return SignIns(self._whole.store)

    @cached_property
    def audit(self) -> Audit:
        """Who changed what."""
        from shoal.workspace.audit import Audit

        return Audit(self._whole.store)

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs of ``shoal.yaml``: when they are due, how they went, and running them."""
        from shoal.workspace.scheduling import Scheduler

        return Scheduler(self._whole)

    def uplift(self, experiment: str, **options: Any) -> Uplifted:
        """Whom the treatments of an experiment move; see ``workspace.uplift.uplift``."""
        from shoal.workspace.uplift import uplift

        return uplift(self._whole, experiment, **options)
