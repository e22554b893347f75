"""Image data: getting it, splitting it, drawing a stand-in, and saying what is in place."""
