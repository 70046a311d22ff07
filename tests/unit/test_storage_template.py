"""What a security reviewer and an analyst ask of the storage-processing template."""

from typing import Any

import pytest
import sqlglot
from sqlglot.optimizer.qualify import qualify

from tests.unit.template_reader import listed, read, resources

SOURCE_KEYS = {  # an ARN names its account
    "aws:SourceAccount", "aws:SourceArn",
    "kms:EncryptionContext:aws:logs:arn", "kms:EncryptionContext:aws:sns:topicArn",
}  # fmt: skip
PERSONAL = {"user_id"}  # tagged as such, so that no analyst sees it
LARGEST_TEMPLATE = 460_000  # bytes, of the million that CloudFormation takes from S3


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Properties by logical id."""
    found = resources("storage-processing")
    return {logical_id: item["Properties"] for logical_id, item in found.items() if item["Type"] == kind}


def granted_to_services() -> list[tuple[str, dict[str, Any]]]:
    """Statements of resource policies that let a service of AWS in, with the logical id they belong to."""
    documents = {name: item["PolicyDocument"] for name, item in of_type("AWS::S3::BucketPolicy").items()}
    documents |= {name: item["KeyPolicy"] for name, item in of_type("AWS::KMS::Key").items()}
    return [
        (f"{name} {statement['Sid']}", statement)
        for name, document in documents.items()
        for statement in document["Statement"]
        if statement["Effect"] == "Allow" and "Service" in statement["Principal"]
    ]


def catalogue(without: set[str] = frozenset()) -> dict[str, dict[str, str]]:
    """Column types by table, as the catalogue declares them."""
    tables = [item["TableInput"] for item in of_type("AWS::Glue::Table").values()]
    return {
        table["Name"]: {
            column["Name"]: column["Type"]
            for column in [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
            if column["Name"] not in without
        }
        for table in tables
    }


def queries() -> dict[str, str]:
    return {item["Name"]: item["QueryString"] for item in of_type("AWS::Athena::NamedQuery").values()}


def check_query(sql: str) -> None:
    """:raises sqlglot.errors.SqlglotError: when Athena could not run it, or it names what an analyst cannot see"""
    schema = catalogue(without=PERSONAL)
    qualify(sqlglot.parse_one(sql, dialect="athena"), schema=schema, dialect="athena", validate_qualify_columns=True)


@pytest.mark.parametrize("name", sorted(queries()))
def test_a_named_query_asks_for_columns_that_an_analyst_sees(name: str) -> None:
    check_query(queries()[name])


@pytest.mark.parametrize("broken", ["SELECT colour FROM event", "SELECT user_id FROM interaction", "SELECT FROM WHERE"])
def test_a_query_that_an_analyst_could_not_run_is_found(broken: str) -> None:
    with pytest.raises(sqlglot.errors.SqlglotError):
        check_query(broken)


def test_every_table_has_a_question() -> None:
    text = " ".join(queries().values())
    assert [table for table in catalogue() if f"FROM {table}" not in text] == []


def test_services_get_in_only_for_this_account() -> None:
    statements = granted_to_services()
    open_to_others = [
        name
        for name, statement in statements
        if not SOURCE_KEYS & {key for test in statement.get("Condition", {}).values() for key in test}
    ]
    assert statements and open_to_others == []


def test_a_resource_policy_allows_no_wildcard_action() -> None:
    assert [
        name
        for name, statement in granted_to_services()
        if any("*" in action for action in listed(statement["Action"]))
    ] == []


def test_only_distributions_read_the_site() -> None:
    [(_, statement)] = [item for item in granted_to_services() if item[0].startswith("WebBucketPolicy")]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "cloudfront.amazonaws.com"}, "s3:GetObject")
    [encryption] = of_type("AWS::S3::Bucket")["WebBucket"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    # A key of ours would ask for a grant to the distribution, which does not exist yet.
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_a_secret_is_encrypted_and_its_value_comes_from_outside() -> None:
    parameters = read("storage-processing")["Parameters"]
    secrets = of_type("AWS::SecretsManager::Secret")
    assert all(secret["KmsKeyId"] == {"Fn::GetAtt": ["DataKey", "Arn"]} for secret in secrets.values())
    hidden = {name for name, item in parameters.items() if item.get("NoEcho")}
    used = " ".join(secret["SecretString"]["Fn::Sub"] for secret in secrets.values())
    assert hidden and all(f'"${{{name}}}"' in used for name in hidden)
    assert all(parameters[name]["Default"].startswith("replace-with-your-") for name in hidden)


def test_a_grant_on_the_lake_is_given_once() -> None:
    grants = of_type("AWS::LakeFormation::PrincipalPermissions").values()
    given = [(str(item["Principal"]), str(item["Resource"])) for item in grants]
    assert given and len(given) == len(set(given))
    assert all(item["PermissionsWithGrantOption"] == [] for item in grants)


def test_what_is_personal_is_tagged_so() -> None:
    tagged = {
        column
        for item in of_type("AWS::LakeFormation::TagAssociation").values()
        for column in item["Resource"].get("TableWithColumns", {}).get("ColumnNames", [])
        if item["LFTags"][0]["TagValues"] == ["personal"]
    }
    assert tagged == PERSONAL & {column for columns in catalogue().values() for column in columns}


def test_the_template_passes_through_the_bucket() -> None:
    from concert_platform.cloudformation.templates import load_template

    assert len(load_template("storage-processing").body.encode()) <= LARGEST_TEMPLATE


@pytest.mark.parametrize("kind", ["AWS::Kinesis::Stream", "AWS::SageMaker::ModelPackageGroup"])
def test_records_and_versions_of_models_outlive_the_stack(kind: str) -> None:
    found = [item for item in resources("storage-processing").values() if item["Type"] == kind]
    assert {(item.get("DeletionPolicy"), item.get("UpdateReplacePolicy")) for item in found} == {
        ("RetainExceptOnCreate", "Retain")
    }


def statements(role: str) -> dict[str, dict[str, Any]]:
    """Statements of a role's policies by Sid."""
    policies = of_type("AWS::IAM::Role")[role]["Policies"]
    return {item["Sid"]: item for policy in policies for item in policy["PolicyDocument"]["Statement"]}


def test_an_analyst_may_ask_athena_at_all() -> None:
    asked = statements("AnalystRole")["AskAtAll"]
    assert asked["Action"] == "glue:GetDatabase"
    assert asked["Resource"]["Fn::Sub"].endswith(":database/default")


def test_a_training_job_reports_metrics_of_sagemaker_only() -> None:
    reported = statements("TrainingRole")["ReportMetrics"]
    assert reported["Action"] == "cloudwatch:PutMetricData"
    assert reported["Condition"] == {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}


def test_a_service_takes_a_role_for_this_account_only() -> None:
    for name, role in of_type("AWS::IAM::Role").items():
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            conditions = str(statement.get("Condition", {}))
            assert "AWS::AccountId" in conditions or "AWS" in statement["Principal"], name


def test_redshift_finds_a_log_group_for_each_log_that_it_exports() -> None:
    [namespace] = [item for item in resources("storage-processing").values() if item["Type"].endswith("::Namespace")]
    folder = f"/aws/redshift/{namespace['Properties']['NamespaceName']['Fn::Sub']}/"
    groups = {
        logical_id: item["LogGroupName"]["Fn::Sub"].removeprefix(folder)
        for logical_id, item in of_type("AWS::Logs::LogGroup").items()
        if item["LogGroupName"]["Fn::Sub"].startswith(folder)
    }
    assert sorted(groups.values()) == sorted(namespace["Properties"]["LogExports"])
    assert sorted(groups) == sorted(namespace["DependsOn"])


def test_code_and_models_that_a_rollback_needs_do_not_expire() -> None:
    rules = resources("storage-processing")["ArtifactsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = [rule.get("Prefix", "") for rule in rules if "ExpirationInDays" in rule]
    assert "features/" in expiring
    kept = ("artifacts/0a/ml/source.tar.gz", "models/sales/job/output/model.tar.gz")
    assert not [(key, prefix) for key in kept for prefix in expiring if key.startswith(prefix)]
