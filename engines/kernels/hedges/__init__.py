"""Two sides over one account, each with one entry at a time."""
