"""The link from a task to its change set's report: what Airflow asks for, keeps, and shows."""

from airflow.sdk import DAG
from airflow.serialization.serialized_objects import SerializedBaseOperator

from concert_platform.links import ChangeSetReportLink
from concert_platform.operators.cloudformation import ReviewChangesOperator
from concert_platform_plugin import ConcertPlatformPlugin

URL = "https://some-bucket/reports/change-sets/networking/run-1.html?signed"


def review() -> ReviewChangesOperator:
    with DAG("some_dag", schedule=None):
        return ReviewChangesOperator(task_id="review_changes", stack="networking")


def test_the_link_of_a_task_is_the_report_that_it_has_written() -> None:
    task = review()
    [link] = task.operator_extra_links
    assert link.get_link(task, ti_key=None) == ""  # a task that has failed before
    task.report_link = URL
    assert link.get_link(task, ti_key=None) == URL


def test_airflow_keeps_the_link_under_a_key_of_its_own_and_shows_it_by_name() -> None:
    # The key must be none of the XComs that the task itself pushes.
    assert ChangeSetReportLink().xcom_key == "change_set_report_link"
    assert ChangeSetReportLink().name == "Change set report"
    assert SerializedBaseOperator.serialize_operator(review())["_operator_extra_links"] == {
        "Change set report": "change_set_report_link"
    }


def test_the_plugin_registers_the_link_without_which_airflow_drops_it() -> None:
    assert [type(link) for link in ConcertPlatformPlugin.operator_extra_links] == [ChangeSetReportLink]
