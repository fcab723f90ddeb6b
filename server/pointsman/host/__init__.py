"""The per-user process that owns the models, the indexes and the gateway; its messages and its client."""
