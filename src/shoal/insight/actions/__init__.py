"""What to do next with each segment: the few actions that its profile suggests, what they rest on, and what is at stake."""

from shoal.insight.actions.kinds import ACTIONS
from shoal.insight.actions.table import Action, Table, table
from shoal.insight.actions.trials import Effect, effect

__all__ = ["ACTIONS", "Action", "Effect", "Table", "effect", "table"]
