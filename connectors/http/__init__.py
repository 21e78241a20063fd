"""No channel: the way by which connectors call their platforms."""
