"""Which models exist, where their files are, and what an engine promises."""
