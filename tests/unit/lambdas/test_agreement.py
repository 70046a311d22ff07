"""What the functions rely on is what their templates give them."""

import re
import sys
from datetime import timedelta
from typing import Any

import pytest

from concert_platform import artifacts
from concert_platform.settings import Settings
from tests.unit.lambdas.conftest import FOLDER
from tests.unit.template_reader import read, resources

SETTINGS = Settings(environment="staging", account_id="123456789012", region="eu-west-1")
FUNCTIONS = {
    "api": ("compute-application", "ApiFunction"),
    "chatbot": ("chatbot", "ChatbotFunction"),
    "concert_data_processor": ("compute-application", "ProcessorFunction"),
}


def properties(template: str, logical_id: str) -> dict[str, Any]:
    return resources(template)[logical_id]["Properties"]


def test_every_folder_is_a_bundle_with_a_template() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.name != "shared"}
    assert folders == set(artifacts.FUNCTIONS) == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_its_name_its_bundle_and_every_variable_it_reads(name: str) -> None:
    found = properties(*FUNCTIONS[name])
    modules = FOLDER.joinpath(name).glob("*.py")
    read = set(re.findall(r'os\.environ\["(\w+)"\]', "".join(path.read_text() for path in modules)))
    own_name = found["FunctionName"]["Fn::Sub"].replace("${Environment}", "staging")
    assert own_name == SETTINGS.function(name.replace("_", "-"))
    assert found["Code"]["S3Key"] == {"Fn::Sub": f"${{ArtifactsPrefix}}/lambda/{name}.zip"}
    assert set(found["Environment"]["Variables"]) == read | {"ENVIRONMENT", "ARTIFACTS_PREFIX"}


def test_the_models_of_the_api_have_the_limits_of_the_functions(load: Any) -> None:
    schema = properties("compute-application", "InteractionModel")["Schema"]
    interactions = load("api", "interactions")
    assert schema["properties"]["type"] == {"type": "string", "enum": list(interactions.TYPES)}
    assert {schema["properties"][name]["maxLength"] for name in ("event_id", "user_id", *interactions.SUBJECTS)} == {
        interactions.LONGEST_ID
    }
    message = properties("compute-application", "ChatModel")["Schema"]["properties"]["message"]
    assert message["maxLength"] == load("chatbot", "handler").LONGEST_MESSAGE


def test_an_event_is_remembered_until_the_stream_cannot_give_it_again(load: Any) -> None:
    retention = read("storage-processing")["Parameters"]["StreamRetentionHours"]
    interactions, transactions = (load("concert_data_processor", name) for name in ("interactions", "transactions"))
    assert timedelta(hours=retention["MaxValue"]) == interactions.LONGEST_RETENTION
    at_most = interactions.LONGEST_DELAY + interactions.LONGEST_RETENTION + interactions.LONGEST_LEAD
    assert at_most < transactions.KEPT_IDS


@pytest.mark.parametrize("table", ["AggregateTable", "ProcessedEventTable", "ConcertArtistTable"])
def test_what_the_stream_leaves_in_the_tables_expires(table: str) -> None:
    expiry = properties("compute-application", table)["TimeToLiveSpecification"]
    assert expiry == {"AttributeName": "expires_at", "Enabled": True}


def test_no_function_needs_more_than_the_runtime_has() -> None:
    # What of ml lies in a bundle, and what that imports: tests/unit/cloudformation/test_artifacts.py.
    allowed = {path.stem for path in FOLDER.rglob("*.py")} | {"boto3", "botocore", "ml"} | sys.stdlib_module_names
    for path in FOLDER.rglob("*.py"):
        imported = set(re.findall(r"^(?:from|import) (\w+)", path.read_text(), re.MULTILINE))
        assert imported <= allowed, path
