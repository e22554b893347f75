from tests.submissions.twins import write_twin

write_twin('open("/opt/.git/HEAD").read() == "later"', {".git/HEAD": (0o644, "later")})
