"""Pictures and files, pure: what kind a content is, what it may be called, and the signed words that give access."""
