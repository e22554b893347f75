"""Reads an organizer's challenge, competition.yaml and the files it names, into one frozen `Bundle`."""
