"""What the local AWS only stores, by action: everything else that it answers is executed.

docs/local-platform.md has the readable table, and that of the resource types.
"""

from __future__ import annotations

STORED = frozenset(
    {
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutBucketLogging",
        "s3:PutBucketOwnershipControls",
        "dynamodb:UpdateContinuousBackups",
        "kinesis:StartStreamEncryption",
        "lambda:PutFunctionConcurrency",
        "sagemaker:AddTags",
    }
)


def outcome(action: str, status: int) -> str:
    """``executed``, ``stored`` or ``refused``: what became of a call."""
    if status in (401, 403, 501):
        return "refused"
    return "stored" if action in STORED else "executed"
