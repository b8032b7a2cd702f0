"""A workspace that a running server owns, worked with from another process of the same user.

The server keeps the store's file open, so nobody else can. What it offers instead is the store itself: statements go to it over
HTTP and run on a connection of one's own there (``ServedStore``). So everything above the store, the command line and
``shoal.open``, is the same code beside a server as without one, with its own working directory, terminal and Ctrl-C.
"""
