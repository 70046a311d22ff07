"""What reading box-office files raises."""

from __future__ import annotations


class UnreadableReportsError(ValueError):
    """A file of reports, or its mapping, cannot be read; the message names it, the reason and what to do."""
