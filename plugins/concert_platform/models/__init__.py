"""The models of the platform between warehouse, SageMaker and API. No Airflow import.

descriptions.py   what is particular to each model: features, channels, figures, what is published
names.py          URIs, job names and versions; where the files of a run lie
requests.py       CreateTrainingJob and CreateProcessingJob, as templates that a task fills in
features.py       checks of the features, and the fingerprint that tells new data
evaluation.py     what training says of itself: figures, decision, drift
registry.py       versions in SageMaker's model registry: register, champion, roll back
records.py        the same for the warehouse: ml.model_registry and ml.model_drift
publication.py    scores in DynamoDB, where a reader sees one publication as a whole
"""

from concert_platform.models.descriptions import MODELS, Model, UnknownModelError, model_named
from concert_platform.models.names import AS_OF, MODEL_MACROS, RUN_MOMENT
from concert_platform.models.requests import scoring_job, training_job

__all__ = [
    "AS_OF",
    "MODELS",
    "MODEL_MACROS",
    "RUN_MOMENT",
    "Model",
    "UnknownModelError",
    "model_named",
    "scoring_job",
    "training_job",
]
