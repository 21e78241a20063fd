"""All that knows NATS: the embedded server and its guard, connections, the log, requests, tokens, what was founded."""
