"""Access control: one table, checked before every view runs. What is not in the table is denied."""
