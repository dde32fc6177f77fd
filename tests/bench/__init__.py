"""Speed, measured and printed; nothing here asserts a time (machines are noisy)."""
