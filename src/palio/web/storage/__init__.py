"""Files and bundles on disk."""
