"""Command line: `python -m concert_platform.validate VALIDATOR [TARGET ...] [--json]`.

Exit code: 0 nothing found, 1 something found, 2 not looked (wrong usage, or the validator cannot).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence

from concert_platform.validate import findings, registry


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        found = registry.load(options.validator).validate(options.targets)
    except findings.ValidatorError as error:
        sys.stderr.write(f"error: {error}\n")
        if options.json:
            sys.stdout.write(findings.failure_as_json(options.validator, str(error)) + "\n")
        return 2
    width = shutil.get_terminal_size((160, 0)).columns if sys.stdout.isatty() else 160
    shown = (
        findings.as_json(options.validator, found) if options.json else findings.table(options.validator, found, width)
    )
    sys.stdout.write(shown + "\n")
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    there = "\n".join(f"  {name:26}{registry.load(name).SUMMARY}" for name in registry.VALIDATORS)
    parser = argparse.ArgumentParser(
        prog="python -m concert_platform.validate",
        description="Look for what is wrong with the platform.",
        epilog=f"validators:\n{there}\n\nnot there yet: {', '.join(registry.NOT_YET)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("validator", help="one of those below")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="what to look at; everything when not given")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
