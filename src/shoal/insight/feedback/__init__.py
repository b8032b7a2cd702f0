"""What customers say: scores of surveys with intervals, moods and topics of what they wrote, and what they did after."""

from shoal.insight.feedback.scores import DEFINITIONS

__all__ = ["DEFINITIONS"]
