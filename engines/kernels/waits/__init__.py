"""Waits: chains whose entries wait at a price."""
