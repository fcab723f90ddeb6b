"""One module per command; each parses its arguments, calls a service and prints."""
