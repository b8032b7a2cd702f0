"""The HTTP door: what client libraries send comes in here."""
