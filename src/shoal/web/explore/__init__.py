"""Explorable pages: each a question in its address, answered by a chart, its table, and marks that lead to their customers."""
