"""Email: visitors write by mail and are answered by mail."""
