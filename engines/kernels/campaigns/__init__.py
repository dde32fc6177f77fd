"""Campaigns: ladders of entries, from fill to fill."""
