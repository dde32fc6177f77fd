"""First passage: many stops and targets on one set of wishes, by when each is met."""
