"""Live state machines: events in, instructions out; the actors perform them."""
