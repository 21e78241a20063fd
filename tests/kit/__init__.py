"""The kit is tested by an invented platform, with connectors that are right and connectors that are not."""
