"""Pointsman: local completions and answers, and one guarded gate to a closed model."""

__version__ = "0.1.0"
