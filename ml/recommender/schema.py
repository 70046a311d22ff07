"""Which features a model was made from: apart, since the service runs where no numpy is installed."""

from __future__ import annotations

# Raised whenever a feature changes its meaning: a model of another schema is refused, not misread.
FEATURE_SCHEMA = 1
