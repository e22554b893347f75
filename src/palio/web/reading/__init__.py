"""Reading files and texts of participants and organizers, in child processes within limits."""
