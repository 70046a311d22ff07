"""Names that the templates and the settings share; the rules of the templates lie in concert_platform.validate."""

from pathlib import Path

from concert_platform.cloudformation.templates import TEMPLATES
from concert_platform.settings import BUCKETS, Settings

FOLDER = Path(__file__).parents[2] / "include" / "cfn"
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
