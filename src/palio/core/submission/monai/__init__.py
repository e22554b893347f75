"""MONAI bundles as submissions: read and checked before anything runs, then turned into a build context."""
