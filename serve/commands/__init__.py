"""One module a command. Importing one costs only its flags: the work is imported when it runs."""
