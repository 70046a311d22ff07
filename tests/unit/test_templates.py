"""Names that the templates and the settings share; the rules of the templates lie in concert_platform.validate."""

from pathlib import Path

import pytest

from concert_platform.cloudformation.documents import Values, parse_document
from concert_platform.cloudformation.templates import TEMPLATES
from concert_platform.settings import BUCKETS, MODEL_IMAGE_VARIABLE, Settings
from local.platform import services

FOLDER = Path(__file__).parents[2] / "include" / "cfn"
SECRETS = ("api_secret", "jwt_secret", "token")
SETTINGS = Settings(environment="staging", account_id="123456789012", region="eu-west-1")


def test_templates_and_settings_agree_on_names() -> None:
    text = "".join((FOLDER / f"{name}.yaml").read_text() for name in TEMPLATES)
    text = text.replace("${Environment}", "staging").replace("${AWS::AccountId}", SETTINGS.account_id)
    roles = ("airflow-execution", "cloudformation", "glue-job", "warehouse", "training", "api")
    expected = [
        *(f"BucketName: !Sub {SETTINGS.bucket(name)}\n" for name in BUCKETS),
        *(f"RoleName: !Sub {SETTINGS.role_arn(name).rpartition('/')[2]}\n" for name in roles),
        f"Name: !Sub {SETTINGS.glue_database}\n",
        f"Name: !Sub {SETTINGS.etl_job}\n",
        f"TableName: !Sub {SETTINGS.ingest_state_table}\n",
        f"TableName: !Sub {SETTINGS.concert_artist_table}\n",
        f"WorkgroupName: !Sub {SETTINGS.workgroup}\n",
        f"DbName: {SETTINGS.database}\n",
        f"Name: !Sub {SETTINGS.source_secret('ticketmaster')}\n",
    ]
    assert [name for name in expected if name not in text] == []


def model_image(region: str, suffix: str = "amazonaws.com") -> str:
    """What orchestration tells Airflow of the image of the models' jobs."""
    template = parse_document((FOLDER / "orchestration.yaml").read_text())
    options = template["Resources"]["AirflowEnvironment"]["Properties"]["AirflowConfigurationOptions"]
    known = {"AWS::Region": region, "AWS::URLSuffix": suffix}
    return str(Values(template, known).of(options["concert_platform.model_image"]))


@pytest.mark.parametrize(
    ("region", "suffix", "image"),
    [
        ("eu-west-1", "amazonaws.com", "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"),
        ("cn-north-1", "amazonaws.com.cn", "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:3.0-5"),
    ],
)
def test_models_are_trained_in_the_image_of_the_region(region: str, suffix: str, image: str) -> None:
    assert model_image(region, suffix) == image


def test_the_local_platform_sets_the_image_that_the_template_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "platform_secrets", lambda: dict.fromkeys(SECRETS, "any"))
    ports = {"aws": 1, "airflow": 2, "replay": 3, "warehouse": 4}
    assert services.airflow_environment(ports)[MODEL_IMAGE_VARIABLE] == model_image(services.REGION)
