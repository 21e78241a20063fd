"""Alembic's environment (env.py) and the steps from one form of the tables to the next (versions/)."""
