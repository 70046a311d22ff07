"""The platform's own rules never raise, whatever is missing from a template or of a wrong type in it."""

import random
from pathlib import Path

import pytest
import yaml

from concert_platform.cloudformation import TEMPLATES
from concert_platform.settings import ENVIRONMENTS
from concert_platform.validate.templates import check_platform, check_templates
from concert_platform.validate.templates.document import Document, DocumentError

FOLDER = Path(__file__).parents[3] / "include" / "cfn"
LOADER, DUMPER = getattr(yaml, "CSafeLoader", yaml.SafeLoader), getattr(yaml, "CSafeDumper", yaml.SafeDumper)
MUTATIONS = 300
DEEPER = 0.85
WRONG = (
    "text", "''", "7", "true", "1.5", "2024-01-01", "null", "[]", "[a]", "[[a]]", "[{a: b}]", "{}", "{a: b}",
    "{7: [a]}", "'*'", "!Ref a", "!Ref [a]", "!Sub '*'", "!Sub [a]", "!Sub {a: b}", "!Sub [a, b]", "!If a", "!If [a]",
    "!If [a, {}, []]", "!GetAtt a", "!GetAtt {a: b}", "!Join a", "!Join ['', a]", "!Join [a, [b, {}]]", "!Equals a",
    "!FindInMap [a]", "!Condition [a]", "'{\"Effect\": 1, \"Action\": {}}'", "'{\"Effect\"'", "!Select []",
)  # fmt: skip
Child = tuple[yaml.Node, int]  # a collection, and the position in it


def part_of(node: yaml.Node, chance: random.Random) -> Child:
    """A part at any depth: sections and entries more often than the many leaves."""
    assert isinstance(node, yaml.CollectionNode)
    index = chance.randrange(len(node.value))
    below = node.value[index][1] if isinstance(node, yaml.MappingNode) else node.value[index]
    if isinstance(below, yaml.CollectionNode) and below.value and chance.random() < DEEPER:
        return part_of(below, chance)
    return node, index


def mutated(text: str, chance: random.Random) -> str:
    """A template in which one part, at any depth, is missing or of a wrong type."""
    root = yaml.compose(text, Loader=LOADER)
    parent, index = part_of(root, chance)
    wrong = yaml.compose(chance.choice(WRONG), Loader=LOADER)
    change = chance.choice(("delete", "replace", "replace", "rename"))
    if change == "delete":
        del parent.value[index]
    elif isinstance(parent, yaml.SequenceNode):
        parent.value[index] = wrong
    else:
        key, value = parent.value[index]
        named = yaml.ScalarNode("tag:yaml.org,2002:int", "7")
        parent.value[index] = (key, wrong) if change == "replace" else (named, value)
    return yaml.serialize(root, Dumper=DUMPER)


@pytest.fixture(scope="module")
def platform() -> tuple[dict[str, Document], list[Document]]:
    templates = {name: Document.parse(name, (FOLDER / f"{name}.yaml").read_text()) for name in TEMPLATES}
    files = [Document.parse(name, (FOLDER / "parameters" / f"{name}.json").read_text()) for name in ENVIRONMENTS]
    return templates, files


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_mutation_of_a_template_breaks_a_rule_function(
    name: str, platform: tuple[dict[str, Document], list[Document]]
) -> None:
    templates, environments = platform
    chance = random.Random(f"seed of {name}")  # noqa: S311 - the same mutations in every run
    for _ in range(MUTATIONS // len(TEMPLATES) + 1):
        text = mutated(templates[name].text, chance)
        try:
            document = Document.parse(name, text)
        except DocumentError:
            continue
        found = check_templates([document])
        found += check_platform([*{**templates, name: document}.values()], environments)
        assert all(0 < finding.line <= len(document.lines) for finding in found if finding.where == document.where)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_mutation_of_a_parameter_file_breaks_a_rule_function(
    environment: str, platform: tuple[dict[str, Document], list[Document]]
) -> None:
    templates, files = platform
    chance = random.Random(f"seed of {environment}")  # noqa: S311 - the same mutations in every run
    others = [file for file in files if file.name != environment]
    text = next(file.text for file in files if file.name == environment)
    for _ in range(10):
        check_platform(list(templates.values()), [*others, Document.parse(environment, mutated(text, chance))])
