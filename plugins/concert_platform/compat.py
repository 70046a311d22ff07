"""The few imports that move between Airflow 3.0, 3.2 and 3.3; drop this module with the last 3.0 environment."""

from __future__ import annotations

try:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
except ImportError:
    from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException

try:
    from airflow.sdk import TriggerRule
except ImportError:
    from airflow.utils.trigger_rule import TriggerRule

__all__ = ["AirflowException", "AirflowFailException", "AirflowSkipException", "TriggerRule"]
