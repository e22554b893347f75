"""Read models that pages and API both show."""
