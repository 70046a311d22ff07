"""The only module that Airflow loads as a plugin: everything else lies in the package beside it (.airflowignore)."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from concert_platform.links import ChangeSetReportLink


class ConcertPlatformPlugin(AirflowPlugin):
    """Names the platform among Airflow's plugins; its operators are imported from the package concert_platform."""

    name = "concert_platform"
    operator_extra_links = [ChangeSetReportLink()]  # noqa: RUF012 - Airflow's own attribute
