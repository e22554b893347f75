"""The data audit: what images, names and labels give away, and what is wrong with them. `run.audit` is its entry."""
