"""Where it runs: files, stores, the Ray session and the work spread over it."""
