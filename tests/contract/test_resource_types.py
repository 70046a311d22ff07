"""Every resource type of the templates is told as executed or as stored without effect."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONFIGURATION = yaml.safe_load((ROOT / "local" / "extensions" / "configuration_types.yaml").read_text())


def documented() -> tuple[set[str], set[str]]:
    """The two columns of the table in docs/local-platform.md: executed, stored."""
    lines = (ROOT / "docs" / "local-platform.md").read_text().splitlines()
    start = lines.index("| service | executed | stored without effect |") + 2
    end = lines.index("", start)
    columns: tuple[set[str], set[str]] = (set(), set())
    for line in lines[start:end]:
        services, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        for column, cell in zip(columns, cells, strict=True):
            for part in filter(None, cell.split("; ")):
                service, _, names = part.rpartition(": ")
                column |= {f"AWS::{service or services}::{name}" for name in names.split(", ")}
    return columns


def in_templates() -> set[str]:
    text = "".join(path.read_text() for path in sorted((ROOT / "include" / "cfn").glob("*.yaml")))
    return set(re.findall(r"^    Type: (AWS::\w+::\w+)$", text, re.MULTILINE))


# Kept by the one handler, and the model registry keeps versions in it and guards its deletion.
ACTED_ON = {"AWS::SageMaker::ModelPackageGroup"}


def test_every_type_of_the_templates_is_listed_once() -> None:
    executed, stored = documented()
    assert in_templates() <= executed | stored
    assert not executed & stored


def test_whatever_one_handler_keeps_is_told_as_stored() -> None:
    assert set(CONFIGURATION) - ACTED_ON <= documented()[1]
