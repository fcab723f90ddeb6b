"""Fixtures of the flow tests."""

from __future__ import annotations

from tests.gateway_site import kingfisher, site

__all__ = ["kingfisher", "site"]
