"""Segments, lists and consent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.say.voice import denies, quoted, says
from shoal.lang.say.window import window_words

if TYPE_CHECKING:
    from shoal.lang.say.voice import Voice


@says(n.MemberOf)
def say_member(node: n.MemberOf, voice: Voice) -> str:
    return f"is in the segment {voice.segment(node.segment)}"


@denies(n.MemberOf)
def deny_member(node: n.MemberOf, voice: Voice) -> str:
    return f"is not in the segment {voice.segment(node.segment)}"


@says(n.ListedIn)
def say_listed(node: n.ListedIn, voice: Voice) -> str:
    return f"is on the list {quoted(node.name)}"


@denies(n.ListedIn)
def deny_listed(node: n.ListedIn, voice: Voice) -> str:
    return f"is not on the list {quoted(node.name)}"


@says(n.Entered, n.Left)
def say_recorded(node: n.Entered | n.Left, voice: Voice) -> str:
    return f"{'' if node.window else 'ever '}{node.kind} {_segment(node, voice)}"


@denies(n.Entered, n.Left)
def deny_recorded(node: n.Entered | n.Left, voice: Voice) -> str:
    if node.window is None:
        return f"never {node.kind} {_segment(node, voice)}"
    return f"did not {'enter' if isinstance(node, n.Entered) else 'leave'} {_segment(node, voice)}"


@says(n.Consents)
def say_consents(node: n.Consents, voice: Voice) -> str:
    return f"consents to {quoted(node.purpose)}"


@denies(n.Consents)
def deny_consents(node: n.Consents, voice: Voice) -> str:
    return f"does not consent to {quoted(node.purpose)}"


def _segment(node: n.Entered | n.Left, voice: Voice) -> str:
    return f"the segment {voice.segment(node.segment)}{window_words(node.window, voice)}"
