"""The pages: each module translates between a browser and the verbs, for one part of the site."""
