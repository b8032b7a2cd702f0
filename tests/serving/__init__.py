"""A served workspace, from outside: a process of its own, asked over HTTP."""
