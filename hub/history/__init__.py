"""The history: all events in SQL, written by a follower of the log, read by everybody."""
