"""What both the analysis and the service raise: apart, since the service runs where no pandas is installed."""

from __future__ import annotations


class UnknownVenueError(KeyError):
    """A venue without a report."""

    def __str__(self) -> str:
        return str(self.args[0])
