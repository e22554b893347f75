"""An organizer's challenge as files: competition.yaml and what it names, read into one frozen `Bundle`."""
