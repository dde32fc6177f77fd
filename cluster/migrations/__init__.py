"""How the tables came to be, one step a file of `versions`, run by `cluster.database`."""
