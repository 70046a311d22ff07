"""What the settings take from the process, and what they say when it lacks something."""

from collections.abc import Iterator

import boto3
import pytest

from concert_platform import settings as settings_module
from concert_platform.settings import MODEL_IMAGE_VARIABLE, Settings, SettingsError

IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"


class Caller:
    """STS as it answers an account of the region's partition."""

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012"}


@pytest.fixture
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(settings_module.ENVIRONMENT_VARIABLE, "staging")
    monkeypatch.setattr(boto3.session.Session, "client", lambda self, service: Caller())
    settings_module.settings.cache_clear()
    yield
    settings_module.settings.cache_clear()


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_role_lies_in_the_partition_of_the_region(
    monkeypatch: pytest.MonkeyPatch, region: str, partition: str
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    expected = f"arn:{partition}:iam::123456789012:role/concert-platform-staging-training"
    assert settings_module.settings().role_arn("training") == expected
    assert settings_module.settings() == Settings("staging", "123456789012", region, partition)


def test_the_image_of_the_models_is_what_the_option_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODEL_IMAGE_VARIABLE, IMAGE)
    assert settings_module.model_image() == IMAGE


def test_a_missing_image_is_one_line_that_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MODEL_IMAGE_VARIABLE, raising=False)
    with pytest.raises(SettingsError, match=r"^[^\n]*set the Airflow option concert_platform\.model_image[^\n]*$"):
        settings_module.model_image()
