"""From files to the store: stage, type, map, judge and write; all of a load takes effect, or nothing of it."""
