"""A cluster of this machine's processes, as docker-compose.cluster.yml describes it."""

from tests.cluster.cluster import BALANCER, DATABASE, HUBS, NATS, Cluster
from tests.cluster.services import Service

__all__ = ["BALANCER", "DATABASE", "HUBS", "NATS", "Cluster", "Service"]
