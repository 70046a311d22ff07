"""Versions of the models in SageMaker's model registry. The champion of a model is its newest approved version."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from concert_platform.models.descriptions import Model
from concert_platform.models.evaluation import Evaluation
from concert_platform.settings import model_image, settings

APPROVED, REJECTED, PENDING = "Approved", "Rejected", "PendingManualApproval"
PAGE = 20  # versions that are listed at once
MOST_FIGURES = 30  # of a version's properties, of which SageMaker keeps 50
LONGEST_VALUE, LONGEST_REASON = 256, 1024  # characters
_REFUSED = re.compile(r"[^\w\s.:/=+\-@]")  # characters that SageMaker takes in no property


class UnknownVersionError(ValueError):
    """A model has no such version, or none that may serve."""


@dataclass(frozen=True)
class Version:
    """One version of a model; properties are those that it was registered with."""

    model: str
    arn: str
    status: str
    reason: str
    model_uri: str
    properties: Mapping[str, str]

    @property
    def version(self) -> str:
        return self.properties.get("version", "")

    @property
    def fingerprint(self) -> str:
        return self.properties.get("fingerprint", "")

    @property
    def was_approved(self) -> bool:
        return self.status == APPROVED or self.properties.get("was_approved") == "yes"

    @property
    def folder(self) -> str:
        """Prefix that holds model.tar.gz."""
        return self.model_uri.removesuffix("model.tar.gz")


def _client() -> Any:
    import boto3

    return boto3.client("sagemaker")


def group_name(model: Model) -> str:
    return f"{settings().prefix}-{model.name}"


def versions(model: Model, status: str | None = None) -> Iterator[Version]:
    """Versions of a model, the newest first; each is looked up when it is asked for."""
    client = _client()
    wanted = {"ModelApprovalStatus": status} if status else {}
    pages = client.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group_name(model), SortBy="CreationTime", SortOrder="Descending",
        PaginationConfig={"PageSize": PAGE}, **wanted,
    )  # fmt: skip
    for page in pages:
        for package in page["ModelPackageSummaryList"]:
            yield _described(client, model, package["ModelPackageArn"])


def _described(client: Any, model: Model, arn: str) -> Version:
    package = client.describe_model_package(ModelPackageName=arn)
    return Version(
        model=model.name,
        arn=arn,
        status=package["ModelApprovalStatus"],
        reason=package.get("ApprovalDescription", ""),
        model_uri=package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"],
        properties=package.get("CustomerMetadataProperties", {}),
    )


def champion(model: Model) -> Version | None:
    """The version that scores."""
    return next(versions(model, APPROVED), None)


def newest(model: Model) -> Version | None:
    """The version that was trained last and judged, whatever became of it."""
    return next((version for version in versions(model) if version.status != PENDING), None)


def scoring_code(version: Version, last: Version | None, published: str) -> str:
    """URI of the code that scores with a version.

    That is the published code, with what was mended since, once it has trained a version of the same feature schema;
    before that, or when it reads other features, the code that the version itself was trained with.

    :param last: the version that was trained last
    :param published: URI of the published code
    """
    reads = last.properties.get("feature_schema") if last and last.properties.get("code") == published else None
    if reads == version.properties.get("feature_schema"):
        return published
    return version.properties.get("code", published)


def register(
    model: Model, model_uri: str, evaluation: Evaluation, fingerprint: str, run: str, code: str, given: str = ""
) -> Version:
    """Add a trained version and decide on it, each once: a repeated registration changes nothing.

    A version that is better than one which is no longer the champion is rejected: nobody has compared it with the one
    that is. It then keeps no fingerprint, so that the next run trains and compares again.

    :param fingerprint: of the data that it was trained on
    :param run: slug of the run that has trained it
    :param code: URI of the code that has trained it
    :param given: version of the champion that training was given; counts when it could not be used for a comparison
    """
    client = _client()
    arn = client.create_model_package(
        ModelPackageGroupName=group_name(model),
        ModelPackageDescription=f"{model.name} {evaluation.version}, trained by {run}"[:LONGEST_REASON],
        InferenceSpecification={
            "Containers": [{"Image": model_image(), "ModelDataUrl": model_uri}],
            "SupportedContentTypes": ["application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        ModelApprovalStatus=PENDING,
        CustomerMetadataProperties=_properties(evaluation, fingerprint, run, code),
        ClientToken=sha256(model_uri.encode()).hexdigest()[:36],
    )["ModelPackageArn"]
    version = _described(client, model, arn)
    if version.status != PENDING:  # decided before, and perhaps rolled back since
        return version
    serving, compared = champion(model), evaluation.champion or given
    if evaluation.promote and (serving.version if serving else "") != compared:
        reason = (
            f"the champion has changed since: {compared or 'none'} was compared, "
            f"{serving.version if serving else 'none'} serves; the next run compares again"
        )
        client.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["fingerprint"])
        decide(version, approve=False, reason=reason)
    else:
        decide(version, approve=evaluation.promote, reason=evaluation.reason)
    return _described(client, model, arn)


def decide(version: Version, *, approve: bool, reason: str) -> None:
    """Set the status of a version with its reason; that it was once approved stays known."""
    noted = {"CustomerMetadataProperties": {"was_approved": "yes"}} if approve or version.was_approved else {}
    _client().update_model_package(
        ModelPackageArn=version.arn,
        ModelApprovalStatus=APPROVED if approve else REJECTED,
        ApprovalDescription=reason[:LONGEST_REASON],
        **noted,
    )


def roll_back(model: Model, wanted: str, run: str) -> list[Version]:
    """Make a former version the champion again; returns it, and each newer one that is or was approved.

    Newer approved versions are rejected. A repeated call goes on where one has stopped, and returns the same.

    :raises UnknownVersionError: when there is no such version, or it never was approved
    """
    newer: list[Version] = []
    known: list[str] = []
    for version in versions(model):
        if version.version == wanted:
            break
        known.append(version.version)
        if version.was_approved:
            newer.append(version)
    else:
        raise UnknownVersionError(
            f"{model.name} has no version {wanted!r}: choose one of {', '.join(known[:PAGE]) or 'none, it has none'}"
        )
    if not version.was_approved:
        raise UnknownVersionError(
            f"{model.name} {wanted} never was approved ({version.reason or version.status}): choose a version that was"
        )
    if version.status != APPROVED:
        decide(version, approve=True, reason=f"rolled back to by {run}")
    for one in newer:
        if one.status == APPROVED:
            decide(one, approve=False, reason=f"rolled back to {wanted} by {run}")
    client = _client()
    return [_described(client, model, one.arn) for one in (version, *newer)]


def _properties(evaluation: Evaluation, fingerprint: str, run: str, code: str) -> dict[str, str]:
    figures = {
        f"{owner}:{name}": f"{value:.6g}"
        for owner, section in (("metrics", evaluation.metrics), ("baseline", evaluation.baseline))
        for name, value in section.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
    stated = {
        "version": evaluation.version,
        "run_id": run,
        "fingerprint": fingerprint,
        "code": code,
        "feature_schema": evaluation.feature_schema,
        "data_from": evaluation.data_from or "",
        "data_through": evaluation.data_through or "",
        **dict(list(figures.items())[:MOST_FIGURES]),
    }
    return {name: _REFUSED.sub(" ", value)[:LONGEST_VALUE] for name, value in stated.items() if value}
