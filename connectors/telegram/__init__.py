"""Telegram: so far its stand-in."""
