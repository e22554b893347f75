"""Writes a bundle, of either dialect, in Codabench's `version: 2`, and lists what that format cannot express."""
