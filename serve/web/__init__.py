"""What browsers get: our scripts and styles as files, and other people's in `vendor`."""
