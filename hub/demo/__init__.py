"""`hub demo`: both sides of a conversation to try by hand, or two hundred visitors and five agents who are robots."""
