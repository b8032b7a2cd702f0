"""The web application in a real browser, on real data."""
