"""Texts of customers, offline: their language, their sentiment, what they are about, and what is missed in them."""
