"""Programs that run in an environment of another package, or of ours, and answer on stdout."""
