"""Whether the account lets Lake Formation decide who reads a new table.

An account is born with "Use only IAM access control": whatever is created gets a grant to everybody whom IAM lets in,
and no grant or tag of the storage-processing template matters. CloudFormation cannot empty these defaults, and they are
not this platform's to change: other teams of the account create tables, too.
"""

from __future__ import annotations

from typing import Any

from concert_platform.cloudformation.errors import CloudFormationError

LAKE_STACK = "storage-processing"
EVERYBODY = "IAM_ALLOWED_PRINCIPALS"
DEFAULTS = {"CreateDatabaseDefaultPermissions": "database", "CreateTableDefaultPermissions": "table"}


def check_lake_defaults(client: Any) -> None:
    """Refuse an account in which the protection of personal columns would be void.

    :param client: boto3 client of Lake Formation
    :raises CloudFormationError: naming what would be open, and where the remedy stands
    """
    settings = client.get_data_lake_settings()["DataLakeSettings"]
    opened = [what for key, what in DEFAULTS.items() if any(map(_is_everybody, settings.get(key, [])))]
    if opened:
        raise CloudFormationError(
            f"Lake Formation opens each new {' and '.join(opened)} of this account to everybody whom IAM lets in, "
            "personal columns with it: switch that off once, as step 5 of docs/aws.md says, and deploy again"
        )


def _is_everybody(grant: dict[str, Any]) -> bool:
    return grant.get("Principal", {}).get("DataLakePrincipalIdentifier") == EVERYBODY
