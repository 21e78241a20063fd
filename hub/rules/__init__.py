"""The rules over visitors' texts: filter words and routing keywords, read from YAML; texts in, decisions out."""
