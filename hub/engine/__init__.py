"""The machine around the pure decisions: owners, the log's followers, delivery, time. calls.py is its public face."""
