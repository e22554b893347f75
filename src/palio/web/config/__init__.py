"""How this platform is configured, and where its data folder keeps what."""
