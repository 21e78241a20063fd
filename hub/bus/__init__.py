"""All that knows NATS: the embedded server, its guard, connections, log, requests, tokens, attachments, foundations."""
