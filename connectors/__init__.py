"""The channels: one folder each. Remove the folder, and the channel is gone."""
