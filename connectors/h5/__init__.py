"""The H5 channel: visitors on a web page, who speak the hub's own protocol."""
