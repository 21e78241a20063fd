"""The conformance kit: any connector, with its stand-in, against faults, on a real hub engine. Needs no pytest."""
