"""Links that stand beside a task in Airflow's UI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operatorlink import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class ChangeSetReportLink(BaseOperatorLink):
    """Opens the report of a reviewed change set.

    Airflow asks for the link when the task ends, however it ends, and keeps it as an XCom, which is all that the UI
    reads. It is signed with the task's credentials and works for as long as those; the XCom `report` names the file.
    """

    @property
    def name(self) -> str:
        return "Change set report"

    @property
    def xcom_key(self) -> str:
        return "change_set_report_link"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        return getattr(operator, "report_link", "")
