"""Who may do what: one table, looked up for every request before its view runs; what is not in it is denied."""
