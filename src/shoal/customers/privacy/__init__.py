"""What a person may ask of a shop: all that is kept about them, and that it is forgotten; and how long events are kept.

``policy`` says which tables hold persons, ``person`` finds one, ``forget`` removes them and leaves tombstones, ``calls``
removes them from what the log holds, ``export`` hands out what is there, ``retention`` removes old events.
"""

from shoal.customers.privacy.forget import Erased, forget, preview, reapply
from shoal.customers.privacy.person import Person, find
from shoal.customers.privacy.tombstones import Tombstones

__all__ = ["Erased", "Person", "Tombstones", "find", "forget", "preview", "reapply"]
