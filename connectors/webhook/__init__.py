"""Webhook: visitors of any platform that speaks JSON over HTTP, described by expressions in config/hub.yaml."""
