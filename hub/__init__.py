"""Kefu Hub: a self-hosted chat bridge for customer service that loses nothing."""
