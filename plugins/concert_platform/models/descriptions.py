"""What is particular to each model; everything else is the same for all."""

from __future__ import annotations

from dataclasses import dataclass


class UnknownModelError(ValueError):
    """No model of the platform has this name."""


@dataclass(frozen=True)
class Model:
    """One model: its code is ml/<name>, its versions are in the model package group of its name.

    :param features: feature sets, each a file include/sql/features/<name>_<feature>.sql and a folder in S3
    :param learns_from: those that are channels of training
    :param scores_with: those that scoring reads beside the model
    :param metrics: figures that train.py prints of the model (``metrics:<figure>=``)
    :param baseline: the same of the baseline
    :param scored: folder of the scores that the publication copies
    :param publish_file: the publication, below include/sql
    """

    name: str
    features: tuple[str, ...]
    learns_from: tuple[str, ...]
    scores_with: tuple[str, ...]
    metrics: tuple[str, ...]
    baseline: tuple[str, ...]
    scored: str
    publish_file: str

    def feature_file(self, feature: str) -> str:
        return f"features/{self.name}_{feature}.sql"


MODELS = (
    Model(
        "sales",
        features=("history", "upcoming"),
        learns_from=("history",),
        scores_with=("history", "upcoming"),
        metrics=("wape", "utilisation_r2", "interval_80_coverage"),
        baseline=("wape", "utilisation_r2"),
        scored="forecasts",
        publish_file="load/publish_forecast.sql",
    ),
    Model(
        "recommender",
        # Tags and friends are no part of the warehouse: their channels are left out.
        features=("interactions", "artists", "events"),
        learns_from=("interactions",),
        scores_with=("interactions", "artists", "events"),
        metrics=("ndcg_at_10", "recall_at_10", "catalogue_coverage", "novelty_bits"),
        baseline=("ndcg_at_10", "recall_at_10"),
        scored="recommendations",
        publish_file="load/publish_recommendation.sql",
    ),
    Model(
        "venues",
        features=("history",),
        learns_from=("history",),
        scores_with=("history",),
        metrics=("attendance_mae", "interval_80_coverage"),
        baseline=("attendance_mae",),
        scored="analyses",
        publish_file="load/publish_venue_analysis.sql",
    ),
)


def model_named(name: str) -> Model:
    """:raises UnknownModelError: with the names that there are"""
    for model in MODELS:
        if model.name == name:
            return model
    raise UnknownModelError(f"model {name!r} is unknown: choose one of {', '.join(model.name for model in MODELS)}")
