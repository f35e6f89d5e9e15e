"""The command line: flags, errors, progress, the last line."""
