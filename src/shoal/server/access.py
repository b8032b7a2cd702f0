"""Who may ask what: keys with scopes, the local token, and a rate for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.clock import stopwatch
from shoal.workspace.keys import Key, same

if TYPE_CHECKING:
    from shoal.workspace.keys import Keys

LOCAL = Key("local", "the command line on this machine", frozenset({"admin"}), 0)


class Access:
    """Tells keys, and slows down who asks too often.

    Args:
        keys: the workspace's.
        token: of the command line on this machine; whoever may read its file may do all.
        per_second: requests a second that a key may make over a while, with bursts of ten times as many.
    """

    def __init__(self, keys: Keys, token: str, per_second: float = 100.0) -> None:
        self.keys, self._token, self.per_second = keys, token, per_second
        self._buckets: dict[str, tuple[float, float]] = {}

    def of(self, authorization: str | None) -> Key | None:
        """The key of an Authorization header (``Bearer SECRET``), None where it is none of ours."""
        scheme, _, secret = (authorization or "").partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            return None
        return LOCAL if same(secret, self._token) else self.keys.of(secret)

    def wait(self, key: Key) -> float:
        """How many seconds a key has to wait for its next request; 0 where it may go on."""
        if key is LOCAL:
            return 0.0
        rate = self.per_second
        now, burst = stopwatch(), rate * 10
        left, since = self._buckets.get(key.id, (burst, now))
        left = min(burst, left + (now - since) * rate)
        if left < 1:
            self._buckets[key.id] = (left, now)
            return (1 - left) / rate
        self._buckets[key.id] = (left - 1, now)
        return 0.0
