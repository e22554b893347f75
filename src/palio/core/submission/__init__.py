"""What a participant submits: its kind, saved images, and packing one from a folder."""
