from tests.submissions.twins import write_twin

write_twin('open("/opt/__pycache__/said").read() == "later"', {"__pycache__/said": (0o644, "earlier")})
