"""The features of a run: checked where they are, by aggregates, and compared with what the last version has seen.

include/sql/feature_checks holds one query per rule, which selects the rows that break it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from concert_platform import warehouse
from concert_platform.models.descriptions import Model
from concert_platform.partitions import run_slug
from concert_platform.resources import resource
from concert_platform.warehouse.sql_files import matches
from concert_platform.warehouse.suites import expectations_loading, judge

SUITE = "model_features"
_HEADER = re.compile(r"Severity: (?P<severity>fail|warn)\. Features: (?P<features>[a-z_]+)\.")
log = logging.getLogger(__name__)


class FeatureCheckFailedError(RuntimeError):
    """The features break a rule of include/sql/feature_checks."""


def feature_checks() -> list[dict[str, str]]:
    """The checks: name, file, severity, and the file of the feature set that their headers name."""
    found = []
    for file in matches("feature_checks/*.sql"):
        header = _HEADER.search((resource("include/sql") / file).read_text(encoding="utf-8"))
        if header is None:
            raise ValueError(f"{file} states no severity and features: begin it as the other feature checks")
        name = file.removeprefix("feature_checks/").removesuffix(".sql")
        found.append({"name": name, "file": file, "severity": header["severity"],
                      "features": f"features/{header['features']}.sql"})  # fmt: skip
    return found


def check_features(run_id: str, as_of: str, token: str | None = None) -> int:
    """Run every check of the features of a day and keep the results; returns the number of checks.

    :raises FeatureCheckFailedError: when rows break a check of severity fail
    """
    slug, checks = run_slug(run_id), feature_checks()
    with expectations_loading():
        statements = warehouse.render(
            ["load/record_feature_checks.sql"], run_id=slug, as_of=as_of, feature_checks=checks
        )
        warehouse.execute_batch(statements, token)
    found = judge(SUITE, slug, as_of, checks, "features")
    if found.broken:
        raise FeatureCheckFailedError(
            f"the features of {as_of} break {found.broken}: nothing is trained and the last scores stay; the queries "
            f"of include/sql/feature_checks show the rows, and {found.page} the suite"
        )
    return found.checks


def fingerprint(model: Model, as_of: str, code: str) -> str:
    """What a training of this day would see, as one word: rows, their content, and the code that would read them.

    :param code: URI of the code bundle, whose name is a hash of its content
    """
    (statement,) = warehouse.render([f"features/{model.name}_fingerprint.sql"], as_of=as_of)
    ((rows, content),) = warehouse.query(statement)
    return f"{rows}-{content}-{sha256(code.encode()).hexdigest()[:12]}"


def unloads(models: Sequence[Model]) -> list[dict[str, Any]]:
    """What load/unload_features.sql is asked for, as templates."""
    return [
        {
            "file": model.feature_file(feature),
            "uri": f"{{{{ feature_uri(dag_run.run_id, '{model.name}', '{feature}') }}}}",
        }
        for model in models
        for feature in model.features
    ]
