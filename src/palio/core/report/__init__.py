"""A challenge's report, table of cases, citation, structured description and metadata, for CLI and platform."""
