from tests.submissions.twins import write_twin

write_twin('os.path.exists("/opt/__pycache__/later")', {"__pycache__/later": (0o644, "")})
