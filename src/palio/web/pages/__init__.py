"""Pages: each module connects a part of the site to queries and verbs."""
