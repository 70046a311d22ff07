"""What models, published scores and the service share: apart, since the service runs where no numpy is installed."""

from __future__ import annotations

MODEL_NAME = "recommender"
ALGORITHMS = ("hybrid", "collaborative", "content")
# Raised whenever a feature changes its meaning: a model of another schema is refused, not misread.
FEATURE_SCHEMA = 1
