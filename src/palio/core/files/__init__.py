"""Files and folders, ours and strangers': reading, copying, digesting and writing them safely."""
