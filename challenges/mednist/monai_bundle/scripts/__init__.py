"""What the configuration of the bundle names and MONAI does not have."""
