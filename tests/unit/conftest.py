"""Fixtures of the unit tests."""

from __future__ import annotations

from tests.gateway_site import kingfisher

__all__ = ["kingfisher"]
