"""The web application: pages for people, rendered by the server."""
