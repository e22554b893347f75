from tests.submissions.twins import write_twin

write_twin('os.path.exists("/opt/said")', {".dockerignore": (0o644, "other\n"), "said": (0o644, "")})
