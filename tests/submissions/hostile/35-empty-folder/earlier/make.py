from tests.submissions.twins import write_twin

write_twin('os.path.isdir("/opt/later")', {})
