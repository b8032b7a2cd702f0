"""The pages, a module each with its ``router``; all that stand here are served."""
