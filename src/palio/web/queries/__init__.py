"""Read models that pages and API share."""
