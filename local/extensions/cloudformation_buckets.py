"""AWS::S3::Bucket: the properties that ministack drops reach the bucket, and drift detection reads them back.

Lifecycle and encryption have no effect on what is stored. A bucket that holds objects is not deleted, as on AWS.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring
from ministack.services import s3
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]

# A lifecycle rule: CloudFormation's property -> where the S3 API has it
_RULE = {
    "Id": ("ID",), "Status": ("Status",),
    "Prefix": ("Filter", "Prefix"), "TagFilters": ("Filter", "Tags"),
    "ObjectSizeGreaterThan": ("Filter", "ObjectSizeGreaterThan"),
    "ObjectSizeLessThan": ("Filter", "ObjectSizeLessThan"),
    "ExpirationInDays": ("Expiration", "Days"), "ExpirationDate": ("Expiration", "Date"),
    "ExpiredObjectDeleteMarker": ("Expiration", "ExpiredObjectDeleteMarker"),
    "NoncurrentVersionExpiration": ("NoncurrentVersionExpiration",),
    "AbortIncompleteMultipartUpload": ("AbortIncompleteMultipartUpload",),
    "Transitions": ("Transitions",), "NoncurrentVersionTransitions": ("NoncurrentVersionTransitions",),
}  # fmt: skip
_TRANSITION = {"TransitionInDays": "Days", "TransitionDate": "Date"}
_OLD_TRANSITION = {"TransitionInDays": "NoncurrentDays"}


def _numbers(value: Any) -> Any:
    """A template may write a number as text, as a parameter always does."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _renamed(items: list[Properties], names: dict[str, str]) -> list[Properties]:
    return [{names.get(key, key): value for key, value in item.items()} for item in items]


def _api_rule(rule: Properties) -> Properties:
    out: Properties = {"Filter": {}}
    for name, value in rule.items():
        if name in ("Transitions", "NoncurrentVersionTransitions"):
            value = _renamed(value, _TRANSITION if name == "Transitions" else _OLD_TRANSITION)  # noqa: PLW2901
        *above, last = _RULE[name]
        (out.setdefault(above[0], {}) if above else out)[last] = _numbers(value)
    if len(out["Filter"]) > 1 or "Tags" in out["Filter"]:
        out["Filter"] = {"And": out["Filter"]}
    return out


def _template_rule(rule: Properties) -> Properties:
    rule = {**rule, "Filter": rule.get("Filter", {}).get("And") or rule.get("Filter", {})}
    out = {}
    for name, (first, *rest) in _RULE.items():
        value = rule.get(first, {}).get(rest[0]) if rest else rule.get(first)
        if value not in (None, "", {}):
            out[name] = value
    back = {value: key for key, value in _TRANSITION.items()}, {value: key for key, value in _OLD_TRANSITION.items()}
    for name, names in zip(("Transitions", "NoncurrentVersionTransitions"), back, strict=True):
        if name in out:
            out[name] = _renamed(out[name], names)
    return out


# ---------------------------------------------------------------- XML, as the S3 API keeps most of it


def _xml(tag: str, value: Any) -> bytes:
    root = Element(tag)
    _fill(root, value)
    return tostring(root)


def _fill(element: Element, value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            for one in item if isinstance(item, list) else [item]:
                _fill(SubElement(element, key), one)
    else:
        element.text = str(value).lower() if isinstance(value, bool) else str(value)


def _tree(element: Any) -> Any:
    if not len(element):
        return element.text or ""
    return {child.tag.rpartition("}")[2]: _tree(child) for child in element}


def _stored(text: str | None) -> Any:
    return _tree(fromstring(text)) if text else {}


def _encryption_rule(rule: Properties) -> Properties:
    names = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
    return _renamed([rule], names)[0]


def _apply(name: str, new: Properties, old: Properties) -> None:
    def given(prop: str) -> Any:
        return (new.get(prop) or {}) if prop in new or prop in old else None

    if (lifecycle := given("LifecycleConfiguration")) is not None:
        rules = [_api_rule(rule) for rule in lifecycle.get("Rules", [])]
        if refused := s3._lifecycle_rules_error(rules):
            raise ValueError(f"LifecycleConfiguration: {fromstring(refused[2]).findtext('Message')}")
        s3._bucket_lifecycle.pop(name, None)
        if rules:
            s3._bucket_lifecycle[name] = rules
    if (encryption := given("BucketEncryption")) is not None:
        rules = [_encryption_rule(rule) for rule in encryption.get("ServerSideEncryptionConfiguration", [])]
        s3._delete_bucket_encryption(name)
        if rules:
            s3._put_bucket_encryption(name, _xml("ServerSideEncryptionConfiguration", {"Rule": rules}))
    if controls := given("OwnershipControls"):
        s3._put_bucket_ownership_controls(name, _xml("OwnershipControls", {"Rule": controls["Rules"]}))
    if (logging := given("LoggingConfiguration")) is not None:
        target = {"TargetBucket": logging.get("DestinationBucketName", name),
                  "TargetPrefix": logging.get("LogFilePrefix", "")}  # fmt: skip
        s3._put_bucket_logging(name, _xml("BucketLoggingStatus", {"LoggingEnabled": target} if logging else {}))
    if status := (given("VersioningConfiguration") or {}).get("Status"):
        s3._bucket_versioning[name] = status
    if given("Tags") is not None:
        s3._bucket_tags[name] = {
            **{key: value for key, value in (s3._bucket_tags.get(name) or {}).items()
               if key not in provisioners._tag_map(old.get("Tags"))},
            **provisioners._tag_map(new.get("Tags")),
        }  # fmt: skip


# ---------------------------------------------------------------- in ministack's place


def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Properties]:
    name, attributes = provisioners._s3_create(logical_id, properties, stack_name)
    try:
        _apply(name, properties, {})
    except ValueError:
        provisioners._s3_delete(name, properties)
        raise
    return name, attributes


def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> tuple[str, Properties]:
    name, attributes = provisioners._s3_update(physical_id, old, new, stack_name)
    _apply(name, new, old)
    return name, attributes


def delete(physical_id: str, properties: Properties) -> None:
    status, _, body = s3._delete_bucket(physical_id)
    if status >= 400 and status != 404:
        raise ValueError(f"{fromstring(body).findtext('.//{*}Message')} (Service: S3, Status Code: {status})")


def read(name: str, properties: Properties) -> Properties | None:
    """The bucket in the template's shape, for drift detection; None when it is gone."""
    if name not in s3._buckets:
        return None
    encryption, log = _stored(s3._bucket_encryption.get(name)), _stored(s3._bucket_logging_config.get(name))
    names = {"ApplyServerSideEncryptionByDefault": "ServerSideEncryptionByDefault"}
    lifecycle = s3._bucket_lifecycle.get(name)
    target = log.get("LoggingEnabled") if isinstance(log, dict) else None
    expected = properties.get("LoggingConfiguration", {})
    defaults = {"DestinationBucketName": name, "LogFilePrefix": ""}  # left out by a template that means them
    found = {"DestinationBucketName": target["TargetBucket"],
             "LogFilePrefix": target.get("TargetPrefix", "")} if target else {}  # fmt: skip
    logging = {key: value for key, value in found.items() if key in expected or value != defaults[key]}
    return {
        "BucketName": name,
        "VersioningConfiguration": {"Status": s3._bucket_versioning.get(name, "Suspended")},
        "PublicAccessBlockConfiguration": _stored(s3._buckets[name].get("_public_access_block")),
        "BucketEncryption": {"ServerSideEncryptionConfiguration": _renamed(list(encryption.values()), names)},
        "OwnershipControls": {"Rules": list(_stored(s3._buckets[name].get("_ownership_controls")).values())},
        "LifecycleConfiguration": {"Rules": [_template_rule(rule) for rule in lifecycle or []]},
        "LoggingConfiguration": logging,
        "Tags": s3._bucket_tags.get(name) or {},
    }  # fmt: skip


READ = ("BucketName", "VersioningConfiguration", "PublicAccessBlockConfiguration", "BucketEncryption",
        "OwnershipControls", "LifecycleConfiguration", "LoggingConfiguration", "Tags")  # fmt: skip
RESOURCE_TYPES = {
    "AWS::S3::Bucket": {"create": create, "update": update, "delete": delete, "read": read, "reads": READ}
}
