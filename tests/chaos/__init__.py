"""`make chaos`: clients of its own write to a hub while faults strike it, then all ledgers are compared."""
