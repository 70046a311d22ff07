"""What the monitoring and tracing stacks look at exists, and everything that can fail is looked at."""

import ast
import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from concert_platform import metrics
from concert_platform.cloudformation.templates import TEMPLATES, environment_file
from concert_platform.settings import ENVIRONMENTS
from tests.unit.template_reader import read

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = "staging"
PSEUDO = {"AWS::Region": "us-east-1", "AWS::AccountId": "123456789012", "AWS::Partition": "aws"}
MONITORING, TRACING = read("monitoring"), read("tracing")
# Metrics of AWS's own namespaces that monitoring may use, by the dimensions under which AWS publishes them.
AWS_METRICS = {
    ("AWS/ApiGateway", ("ApiName", "Stage")): {"4XXError", "5XXError", "Count", "Latency"},
    ("AWS/Billing", ("Currency",)): {"EstimatedCharges"},
    ("AWS/CloudFront", ("DistributionId", "Region")): {"5xxErrorRate", "Requests"},
    ("AWS/DynamoDB", ("TableName",)): {"ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"},
    ("AWS/Events", ("RuleName",)): {"TriggeredRules"},
    ("AWS/Kinesis", ("StreamName",)): {
        "GetRecords.IteratorAgeMilliseconds", "IncomingBytes", "IncomingRecords", "WriteProvisionedThroughputExceeded"},
    ("AWS/Lambda", ()): {"ConcurrentExecutions"},
    ("AWS/Lambda", ("FunctionName",)): {"Duration", "Errors", "Invocations", "Throttles"},
    ("AWS/Logs", ("LogGroupName",)): {"IncomingBytes", "IncomingLogEvents"},
    ("AWS/Redshift-Serverless", ("Namespace",)): {"DataStorage"},
    ("AWS/Redshift-Serverless", ("Workgroup",)): {"ComputeCapacity", "ComputeSeconds"},
    ("AWS/S3", ("BucketName", "StorageType")): {"BucketSizeBytes"},
    ("AWS/SQS", ("QueueName",)): {"ApproximateNumberOfMessagesVisible"},
    ("AWS/X-Ray", ("GroupName",)): {"ApproximateTraceCount"},
}  # fmt: skip
IDLE_USD = {"development": 470, "staging": 470, "production": 820}  # docs/infrastructure.md
REPORTED = ("LoadedPartitions", "LoadedRows")
SEARCHED = {
    "AWS/Billing": {"EstimatedCharges"},
    "AWS/Redshift-Serverless": {"QueriesQueued", "QueriesRunning"},  # by QueryType, Workgroup
    "/aws/sagemaker/TrainingJobs": {"CPUUtilization", "MemoryUtilization"},
}
ACCESS_LOG_FIELDS = ("latency", "status", "method", "path", "request_id", "integration_latency", "error", "trace")

Metric = tuple[str, str, tuple[str, ...]]


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: item["Properties"] for name, item in template["Resources"].items() if item["Type"] == kind}


def text(value: Any, template: dict[str, Any] = MONITORING) -> str:
    """A string as it is after the deployment: a parameter stands for its default or its name, a resource for its id."""
    if not isinstance(value, dict):
        return str(value)
    if "Ref" in value:
        return text({"Fn::Sub": f"${{{value['Ref']}}}"}, template)

    def known(found: re.Match[str]) -> str:
        name = found[1].partition(".")[0]
        if name == "Environment":
            return ENVIRONMENT
        if name in PSEUDO or name in template["Resources"]:
            return PSEUDO.get(name, found[1])
        return str(template["Parameters"][name].get("Default", name))

    return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", known, value["Fn::Sub"])


def dashboards() -> dict[str, dict[str, Any]]:
    found = of_type(MONITORING, "AWS::CloudWatch::Dashboard")
    return {name: json.loads(text(properties["DashboardBody"])) for name, properties in found.items()}


def drawn_metrics(widget: dict[str, Any]) -> Iterator[tuple[Metric, dict[str, str]]]:
    """Metrics of a widget with the values of their dimensions; expressions are left out."""
    for line in widget["properties"].get("metrics", []):
        if isinstance(line[0], str):
            namespace, name, *rest = [part for part in line if isinstance(part, str)]
            yield (namespace, name, tuple(rest[::2])), dict(zip(rest[::2], rest[1::2], strict=True))


def alarm_metrics(alarm: dict[str, Any]) -> Iterator[Metric]:
    single = [alarm] if "MetricName" in alarm else []
    for metric in [
        *single,
        *(part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part),
    ]:
        dimensions = tuple(dimension["Name"] for dimension in metric.get("Dimensions", []))
        yield metric["Namespace"], text(metric["MetricName"]), dimensions


def filter_metrics() -> set[str]:
    return {
        text(transformation["MetricName"], TRACING)
        for properties in of_type(TRACING, "AWS::Logs::MetricFilter").values()
        for transformation in properties["MetricTransformations"]
    }


def used_metrics() -> dict[Metric, str]:
    """Every metric that an alarm or a widget looks at, and who does."""
    used = {
        metric: name
        for name, alarm in of_type(MONITORING, "AWS::CloudWatch::Alarm").items()
        for metric in alarm_metrics(alarm)
    }
    for name, body in dashboards().items():
        used |= {metric: name for widget in body["widgets"] for metric, _ in drawn_metrics(widget)}
    return used


def function_sources() -> str:
    return "".join(path.read_text() for path in (REPOSITORY / "include" / "lambda").rglob("*.py"))


@pytest.mark.parametrize("name", dashboards())
def test_the_widgets_of_a_dashboard_do_not_overlap(name: str) -> None:
    widgets = dashboards()[name]["widgets"]
    assert widgets[0]["type"] == "text", "a dashboard begins with what it is for"

    def apart(one: dict[str, Any], other: dict[str, Any]) -> bool:
        return any(
            a[start] + a[size] <= b[start]
            for start, size in (("x", "width"), ("y", "height"))
            for a, b in ((one, other), (other, one))
        )

    assert [pair for pair in combinations(widgets, 2) if not apart(*pair)] == []
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)


@pytest.mark.parametrize("name", dashboards())
def test_an_expression_of_a_widget_names_ids_of_that_widget(name: str) -> None:
    for widget in dashboards()[name]["widgets"]:
        options = [line[-1] for line in widget["properties"].get("metrics", []) if isinstance(line[-1], dict)]
        ids = {option["id"] for option in options if "id" in option}
        for option in options:
            expression = re.sub(r"'[^']*'", "", option.get("expression", ""))  # without what SEARCH quotes
            assert set(re.findall(r"\b[a-z]\w*\b", expression)) <= ids, widget["properties"]["title"]


def test_every_metric_that_is_looked_at_exists() -> None:
    own = dict.fromkeys(filter_metrics(), ())
    own |= dict.fromkeys(REPORTED, ("Environment",))
    own |= dict.fromkeys(re.findall(r'"([A-Z][A-Za-z]+)"', function_sources()), ("Environment",))

    def exists(namespace: str, name: str, dimensions: tuple[str, ...]) -> bool:
        if namespace == metrics.NAMESPACE:
            return own.get(name) == dimensions
        return name in AWS_METRICS.get((namespace, dimensions), ())

    assert {metric: user for metric, user in used_metrics().items() if not exists(*metric)} == {}


def test_every_search_is_for_a_metric_that_exists() -> None:
    from concert_platform.models import MODELS, training_job

    trained = {
        definition["Name"]
        for model in MODELS
        for definition in training_job(model)["AlgorithmSpecification"]["MetricDefinitions"]
    }
    expressions = [
        line[0]["expression"]
        for body in dashboards().values()
        for widget in body["widgets"]
        for line in widget["properties"].get("metrics", [])
        if isinstance(line[0], dict)
    ]
    found = re.findall(r"""SEARCH\('\{"?([^",]+)"?,[A-Za-z,]+\} MetricName="([^"]+)\"""", " ".join(expressions))
    assert len(found) == sum("SEARCH" in expression for expression in expressions) > 0
    assert [pair for pair in found if pair[1] not in SEARCHED[pair[0]] | trained] == []


def test_the_names_of_things_in_tracing_are_those_that_tracing_gives() -> None:
    groups = {text(item["GroupName"], TRACING) for item in of_type(TRACING, "AWS::XRay::Group").values()}
    logs = {text(item["LogGroupName"], TRACING) for item in of_type(TRACING, "AWS::Logs::LogGroup").values()}
    drawn = [
        value
        for body in dashboards().values()
        for widget in body["widgets"]
        for _, dimensions in drawn_metrics(widget)
        for name, value in dimensions.items()
        if name == "GroupName" or (name == "LogGroupName" and value.startswith("/"))
    ]
    assert drawn and set(drawn) == groups | logs
    silent = of_type(MONITORING, "AWS::CloudWatch::Alarm")["TrailSilentAlarm"]
    assert {text(silent["Dimensions"][0]["Value"])} == logs


def test_every_metric_of_a_filter_is_used() -> None:
    assert filter_metrics() - {name for _, name, _ in used_metrics()} == set()


def test_every_queue_of_failures_has_an_alarm() -> None:
    queues = {
        output for name in TEMPLATES for output in read(name)["Outputs"]
        if re.search(r"(DeadLetter|Failure)QueueName$", output)
    }  # fmt: skip
    watched = {
        alarm["Dimensions"][0]["Value"]["Ref"]
        for alarm in of_type(MONITORING, "AWS::CloudWatch::Alarm").values()
        if alarm.get("Namespace") == "AWS/SQS"
    }
    assert queues and queues == watched


def test_every_function_has_alarms_for_errors_and_throttles() -> None:
    functions = {output for name in TEMPLATES for output in read(name)["Outputs"] if output.endswith("FunctionName")}
    watched = {
        (alarm["Dimensions"][0]["Value"]["Ref"], alarm["MetricName"])
        for alarm in of_type(MONITORING, "AWS::CloudWatch::Alarm").values()
        if alarm.get("Namespace") == "AWS/Lambda"
    }
    assert functions and watched == {(name, metric) for name in functions for metric in ("Errors", "Throttles")}


def test_every_alarm_tells_somebody_what_to_do() -> None:
    alarms = of_type(MONITORING, "AWS::CloudWatch::Alarm")
    composites = of_type(MONITORING, "AWS::CloudWatch::CompositeAlarm")
    for name, alarm in (alarms | composites).items():
        assert alarm["AlarmActions"] == [{"Ref": "AlertTopic"}], name
        assert " Do: " in alarm["AlarmDescription"], name
        assert len(alarm["AlarmDescription"]) <= 1024, name
    assert [name for name, alarm in alarms.items() if "TreatMissingData" not in alarm] == []


def test_every_alarm_is_on_the_platform_dashboard() -> None:
    shown = {
        arn.removesuffix(".Arn")
        for widget in dashboards()["PlatformDashboard"]["widgets"]
        for arn in widget["properties"].get("alarms", [])
    }
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    assert shown == {name for kind in kinds for name in of_type(MONITORING, kind)}


def test_every_anomaly_detector_is_looked_at() -> None:
    banded = {
        metric
        for body in dashboards().values()
        for widget in body["widgets"]
        if "ANOMALY_DETECTION_BAND" in json.dumps(widget)
        for metric, _ in drawn_metrics(widget)
    }
    for name, detector in of_type(MONITORING, "AWS::CloudWatch::AnomalyDetector").items():
        metric = detector["SingleMetricAnomalyDetector"]
        dimensions = tuple(dimension["Name"] for dimension in metric["Dimensions"])
        assert (metric["Namespace"], metric["MetricName"], dimensions) in banded, name


def test_a_query_that_an_alarm_names_is_saved() -> None:
    saved = {
        text(item["Name"], TRACING).partition("/")[2]
        for item in of_type(TRACING, "AWS::Logs::QueryDefinition").values()
    }
    descriptions = [alarm["AlarmDescription"] for alarm in of_type(MONITORING, "AWS::CloudWatch::Alarm").values()]
    named = set(re.findall(r"the query ([a-z/-]+)", " ".join(descriptions)))
    assert named and named <= saved


def test_the_budget_counts_one_environment() -> None:
    [budget] = of_type(MONITORING, "AWS::Budgets::Budget").values()
    assert [filtered["Tags"]["Key"] for filtered in budget["Budget"]["FilterExpression"]["And"]] == [
        "Project",
        "Environment",
    ]
    assert "CostFilters" not in budget["Budget"]  # AWS takes one of the two


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_budget_is_above_what_the_idle_environment_costs(environment: str) -> None:
    given = environment_file(environment)["stacks"]["monitoring"]["MonthlyBudgetUsd"]
    assert float(given) > IDLE_USD[environment]


def test_the_access_log_has_an_alarm_for_its_silence() -> None:
    alarm = of_type(MONITORING, "AWS::CloudWatch::Alarm")["AccessLogSilentAlarm"]
    looked_at = {metric[:2] for metric in alarm_metrics(alarm)}
    assert looked_at == {("AWS/ApiGateway", "Count"), ("AWS/Logs", "IncomingLogEvents")}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_names_of_traces_fit_into_32_characters(environment: str) -> None:
    groups = [item["GroupName"] for item in of_type(TRACING, "AWS::XRay::Group").values()]
    rules = [item["SamplingRule"]["RuleName"] for item in of_type(TRACING, "AWS::XRay::SamplingRule").values()]
    names = [name["Fn::Sub"].replace("${Environment}", environment) for name in (*groups, *rules)]
    assert [name for name in names if len(name) > 32] == []


def account_fields() -> set[str]:
    """Fields of the Glue job's Account, whose module imports Spark and is only read here."""
    module = ast.parse((REPOSITORY / "include" / "glue" / "concert_etl" / "accounts.py").read_text())
    (account,) = (node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Account")
    return {
        node.target.id for node in account.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def test_the_job_prints_what_the_filters_read() -> None:
    filters = of_type(TRACING, "AWS::Logs::MetricFilter")
    read_names = {
        name
        for item in filters.values()
        if item["LogGroupName"] == {"Ref": "EtlLogGroupName"}
        for name in re.findall(r"\$\.(\w+)", item["FilterPattern"] + item["MetricTransformations"][0]["MetricValue"])
    }
    assert read_names and read_names <= account_fields()


def test_the_access_log_has_what_filter_and_queries_read() -> None:
    stages = of_type(read("compute-application"), "AWS::ApiGateway::Stage").values()
    formats = [json.loads(stage["AccessLogSetting"]["Format"]) for stage in stages]
    assert [name for name in ACCESS_LOG_FIELDS if name not in formats[0]] == []
    assert formats[0]["latency"] == "$context.responseLatency"  # in quotes, which the filter counts on
    used = of_type(TRACING, "AWS::Logs::QueryDefinition")["SlowRequestsQuery"]["QueryString"]
    assert all(name in used for name in ("request_id", "method", "path", "status", "latency"))
