"""Request plumbing: caching, concurrency, request logs and CSV."""
