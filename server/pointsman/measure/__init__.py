"""What `eval completion` and `bench typing` do: quality and speed of completion, seen from outside the pipeline."""
