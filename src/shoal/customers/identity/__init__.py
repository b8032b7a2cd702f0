"""Who is one customer: identifiers brought together, merges in force, and what was taken back.

``graph.Identities`` decides, ``tables`` keeps what it decided; the names here read merges that are in the store.
"""

from shoal.customers.identity.standing import id_of, key_of, keys_of, merged, standing_for

__all__ = ["id_of", "key_of", "keys_of", "merged", "standing_for"]
