"""Search: the space of a study, what is sampled of it and what is best in it."""
