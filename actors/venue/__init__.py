"""Venues: exchanges behind one Protocol, their errors typed, their rate limits shared."""
