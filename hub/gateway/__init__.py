"""What speaks protocol v1 (docs/protocol.md) with pages: sockets, sessions, codes, tokens."""
