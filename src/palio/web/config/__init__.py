"""The platform's configuration, and the layout of its data folder."""
