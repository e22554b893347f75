"""One attempt: its jobs, its run folder, its inputs and how it resumes."""
