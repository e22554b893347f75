from tests.submissions.twins import write_twin

write_twin('os.access("/opt/tool", os.X_OK)', {"tool": (0o644, "#!/bin/sh\n")})
