"""Chains: many strategies under one plan, from the end of one position to the next."""
