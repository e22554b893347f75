from tests.submissions.twins import write_twin

write_twin('os.path.exists("/opt/__pycache__/later")', {"__pycache__/earlier": (0o644, "")})
