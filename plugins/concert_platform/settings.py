"""Every name and tunable of the platform, read at run time and never while a DAG file is parsed.

Names are built from the environment (development, staging, production) and the account, so that no bucket, stack, role
or job name is written twice. The environment and the image of the models' jobs reach Airflow as configuration options
(``concert_platform.environment``, ``.model_image``), which Amazon MWAA sets from the orchestration stack.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

PROJECT = "concert-platform"
ENVIRONMENTS = ("development", "staging", "production")
ENVIRONMENT_VARIABLE = "AIRFLOW__CONCERT_PLATFORM__ENVIRONMENT"
MODEL_IMAGE_VARIABLE = "AIRFLOW__CONCERT_PLATFORM__MODEL_IMAGE"
# Addresses of the source APIs, without path; a configuration option (concert_platform.<name>_url) may name another.
SOURCE_URLS = {
    "ticketmaster": "https://app.ticketmaster.com",
    "spotify": "https://api.spotify.com",
    "spotify_accounts": "https://accounts.spotify.com",
    "setlistfm": "https://api.setlist.fm",
}
# Requests a day, below what the APIs grant (Ticketmaster 5,000, setlist.fm 1,440, Spotify says nothing), so that
# somebody's trial does not stop the night's run.
SOURCE_BUDGETS = {"ticketmaster": 4_500, "spotify": 5_000, "setlistfm": 1_300}
BUCKETS = ("raw", "curated", "artifacts", "web", "logs")
# In the order of deployment; orchestration, in which the DAGs run, is deployed by deploy_stacks.sh after networking.
STACKS = ("networking", "storage-processing", "chatbot", "compute-application", "monitoring", "tracing")

WAREHOUSE_DATABASE = "concerts"


class SettingsError(RuntimeError):
    """A setting is missing or has a value that the platform does not know."""


@dataclass(frozen=True)
class Settings:
    """Names of one environment in one account and region."""

    environment: str
    account_id: str
    region: str
    partition: str = "aws"

    @property
    def prefix(self) -> str:
        return f"{PROJECT}-{self.environment}"

    def stack(self, name: str) -> str:
        return stack_name(name, self.environment)

    def bucket(self, name: str) -> str:
        if name not in BUCKETS:
            raise SettingsError(f"bucket {name!r} is unknown: choose one of {', '.join(BUCKETS)}")
        return f"{self.prefix}-{name}-{self.account_id}"

    @property
    def raw_bucket(self) -> str:
        return self.bucket("raw")

    @property
    def curated_bucket(self) -> str:
        return self.bucket("curated")

    @property
    def artifacts_bucket(self) -> str:
        return self.bucket("artifacts")

    def role_arn(self, name: str) -> str:
        """ARN of one of the platform's roles: airflow-execution, cloudformation, glue-job, warehouse, training."""
        return f"arn:{self.partition}:iam::{self.account_id}:role/{self.prefix}-{name}"

    @property
    def glue_database(self) -> str:
        return self.prefix.replace("-", "_")

    @property
    def etl_job(self) -> str:
        return f"{self.prefix}-concert-etl-job"

    @property
    def etl_log_groups(self) -> tuple[str, str]:
        """Where a run of the job logs what its script prints, and what Spark says; a run's stream has its id."""
        root = f"/{self.prefix}/glue/{self.prefix}-etl-role/{self.prefix}-glue-job"
        return f"{root}/output", f"{root}/error"

    @property
    def ingest_state_table(self) -> str:
        """DynamoDB table with what each source has already delivered."""
        return f"{self.prefix}-ingest-state"

    @property
    def model_score_table(self) -> str:
        """DynamoDB table with what the models say, as the API reads it."""
        return f"{self.prefix}-model-scores"

    @property
    def concert_artist_table(self) -> str:
        """DynamoDB table with the artist of each concert that the stream may name."""
        return f"{self.prefix}-concert-artists"

    @property
    def interaction_stream(self) -> str:
        """Kinesis stream that every producer writes to."""
        return f"{self.prefix}-interactions"

    @property
    def dead_letter_queue(self) -> str:
        """Queue of the records that the stream's function could not use."""
        return f"{self.function('concert-data-processor')}-dead-letters"

    @property
    def failed_batches_queue(self) -> str:
        """Queue of the places in the stream that its function gave up after 12 hours."""
        return f"{self.prefix}-stream-failures"

    def function(self, name: str) -> str:
        """Lambda function: api, chatbot, concert-data-processor."""
        return f"{self.prefix}-{name}"

    @property
    def workgroup(self) -> str:
        return f"{self.prefix}-warehouse"

    @property
    def database(self) -> str:
        return WAREHOUSE_DATABASE

    def source_secret(self, source: str) -> str:
        """Secrets Manager entry that holds the key of a source API, as JSON ``{"api_key": ...}``."""
        return f"{self.prefix}/sources/{source}"

    def source_url(self, api: str) -> str:
        """Address of a source API: one of SOURCE_URLS."""
        return os.environ.get(source_url_variable(api), SOURCE_URLS[api])

    def daily_requests(self, source: str) -> int:
        """Most requests of a source a day."""
        variable = source_budget_variable(source)
        value = os.environ.get(variable, str(SOURCE_BUDGETS[source]))
        if not value.isdigit():
            raise SettingsError(f"{variable} is {value!r}: set it to a number of requests a day")
        return int(value)


def source_url_variable(api: str) -> str:
    return f"AIRFLOW__CONCERT_PLATFORM__{api.upper()}_URL"


def source_budget_variable(source: str) -> str:
    return f"AIRFLOW__CONCERT_PLATFORM__{source.upper()}_DAILY_REQUESTS"


def environment() -> str:
    """The environment that this Airflow runs in.

    :raises SettingsError: when the option is missing or names no known environment
    """
    value = os.environ.get(ENVIRONMENT_VARIABLE, "")
    if value not in ENVIRONMENTS:
        raise SettingsError(
            f"{ENVIRONMENT_VARIABLE} is {value or 'not set'!r}: set the Airflow option concert_platform.environment "
            f"of the MWAA environment to one of {', '.join(ENVIRONMENTS)}"
        )
    return value


def stack_name(name: str, of_environment: str | None = None) -> str:
    """Full name of a stack; it needs no call of AWS, unlike `settings`.

    :param of_environment: by default the one that this Airflow runs in
    :raises SettingsError: when the option is missing or names no known environment
    """
    return f"{PROJECT}-{of_environment or environment()}-{name}"


def model_image() -> str:
    """Container image of training and scoring, in the registry that SageMaker has in this region.

    Code and requirements travel in the source bundle, so any image with SageMaker's script mode and the Python of
    ml/requirements.txt will do.

    :raises SettingsError: when the option is missing
    """
    value = os.environ.get(MODEL_IMAGE_VARIABLE, "")
    if not value:
        raise SettingsError(
            f"{MODEL_IMAGE_VARIABLE} is not set: set the Airflow option concert_platform.model_image of the MWAA "
            "environment, as the orchestration stack does (./deploy_stacks.sh)"
        )
    return value


@cache
def settings() -> Settings:
    """Settings of the running process: the environment, and the account, region and partition of its credentials."""
    import boto3

    session = boto3.session.Session()
    if not session.region_name:
        raise SettingsError("AWS_REGION is not set: the platform needs a region to name its resources")
    account_id = session.client("sts").get_caller_identity()["Account"]
    partition = session.get_partition_for_region(session.region_name)
    return Settings(environment(), account_id, session.region_name, partition)
