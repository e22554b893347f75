"""Image data: downloading, splitting, synthetic substitutes, and checking what is in place."""
