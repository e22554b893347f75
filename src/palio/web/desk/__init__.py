"""What organizers, scorers and viewers see of a challenge, for pages and API alike; doing is in `web.verbs`."""
