"""Reads, copies, digests and writes files and folders safely, trusted or not."""
