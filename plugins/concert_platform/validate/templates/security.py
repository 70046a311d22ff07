"""Rules about what outlives a stack, and who reaches a bucket."""

from __future__ import annotations

from typing import Any

from concert_platform.cloudformation.review import STATEFUL_TYPES
from concert_platform.validate.templates.document import Document, as_list, inner, properties
from concert_platform.validate.templates.rule import Hits, template_rule

# cfn-lint (I3011) asks for an explicit choice on some of the others, such as queues and log groups.
TO_RETAIN = tuple(name for name, kind in STATEFUL_TYPES.items() if not kind.lost_because)
RETAINED = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
PUBLIC_ACCESS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


@template_rule("retention", "set DeletionPolicy: RetainExceptOnCreate and UpdateReplacePolicy: Retain")
def retention(document: Document) -> Hits:
    for logical_id, item in document.resources(*TO_RETAIN).items():
        if any(item.get(key) != value for key, value in RETAINED.items()):
            yield document.at("Resources", logical_id), f"{logical_id} holds data or keys that go with its stack"


@template_rule("bucket-tls", "add a bucket policy that denies s3:* to everybody while aws:SecureTransport is false")
def bucket_tls(document: Document) -> Hits:
    guarded = [
        properties(item).get("Bucket")
        for item in document.resources("AWS::S3::BucketPolicy").values()
        if any(_denies_plain_http(s) for s in as_list(inner(properties(item), "PolicyDocument").get("Statement")))
    ]
    for logical_id in document.resources("AWS::S3::Bucket"):
        if {"Ref": logical_id} not in guarded:
            yield document.at("Resources", logical_id), f"bucket {logical_id} can be read over plain HTTP"


@template_rule("bucket-public-access", f"set {', '.join(PUBLIC_ACCESS)} of PublicAccessBlockConfiguration to true")
def bucket_public_access(document: Document) -> Hits:
    for logical_id, item in document.resources("AWS::S3::Bucket").items():
        block = properties(item).get("PublicAccessBlockConfiguration")
        if not isinstance(block, dict) or any(str(block.get(key)).lower() != "true" for key in PUBLIC_ACCESS):
            yield document.at("Resources", logical_id), f"bucket {logical_id} can be opened to the public"


def _denies_plain_http(statement: Any) -> bool:
    if not isinstance(statement, dict) or statement.get("Effect") != "Deny":
        return False
    everybody = statement.get("Principal") in ("*", {"AWS": "*"})
    secure = inner(statement, "Condition", "Bool").get("aws:SecureTransport")
    return everybody and as_list(statement.get("Action")) == ["s3:*"] and str(secure).lower() == "false"


RULES = (retention, bucket_tls, bucket_public_access)
