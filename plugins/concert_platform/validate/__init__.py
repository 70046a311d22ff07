"""Validators: each looks at one part of the platform and lists what is wrong with it.

findings.py     Finding; table and JSON
registry.py     names of validators, and what a validator's module offers
templates/      cloudformation-templates: cfn-lint and the platform's own rules
__main__.py     python -m concert_platform.validate VALIDATOR [TARGET ...] [--json]
"""

from __future__ import annotations

from collections.abc import Sequence

from concert_platform.validate.findings import Finding, ValidatorError

__all__ = ["Finding", "ValidatorError", "cloudformation_templates"]


def cloudformation_templates(names: Sequence[str] = ()) -> list[Finding]:
    """What is wrong with the templates of these stacks (all when empty); an empty list lets a deployment go on.

    :raises ValidatorError: when a stack is unknown, or cfn-lint is not installed
    """
    from concert_platform.validate import templates

    return templates.validate(names)
