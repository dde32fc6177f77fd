"""How it is asked: the command line, later the HTTP API, the pages and the MCP tools."""
