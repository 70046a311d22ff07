"""What a security reviewer asks of queues and web site."""

from typing import Any

import pytest

from concert_platform.cloudformation.documents import Values
from concert_platform.cloudformation.templates import TEMPLATES
from tests.unit.template_reader import read, resources

TEMPLATE = "compute-application"
ACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/shared/11111111-2222-4333-8444-555555555555"


def of_type(name: str, kind: str) -> dict[str, dict[str, Any]]:
    return {logical_id: item["Properties"] for logical_id, item in resources(name).items() if item["Type"] == kind}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_queue_takes_nothing_in_the_clear(name: str) -> None:
    closed = {
        queue["Ref"]
        for policy in of_type(name, "AWS::SQS::QueuePolicy").values()
        for queue in policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert closed == set(of_type(name, "AWS::SQS::Queue"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_topic_takes_nothing_in_the_clear(name: str) -> None:
    closed = {
        topic["Ref"]
        for policy in of_type(name, "AWS::SNS::TopicPolicy").values()
        for topic in policy["Topics"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert closed == set(of_type(name, "AWS::SNS::Topic"))


def conditions(region: str, acl: str, domain: str = "") -> dict[str, bool]:
    known = {"AWS::Region": region, "WebAclArn": acl, "WebDomainName": domain}
    values = Values(read(TEMPLATE), known)
    return {name: values.holds(name) for name in ("HasWebAcl", "CreatesWebAcl", "HasWebDomain")}


@pytest.mark.parametrize(
    ("region", "acl", "created"),
    [("us-east-1", "", True), ("us-east-1", ACL, False), ("eu-west-1", "", False), ("eu-west-1", ACL, False)],
)
def test_the_site_has_its_own_web_acl_where_one_can_be_made_and_none_is_given(
    region: str, acl: str, created: bool
) -> None:
    found = conditions(region, acl)
    assert (found["HasWebAcl"], found["CreatesWebAcl"]) == (bool(acl), created)
    assert resources(TEMPLATE)["WebAcl"]["Condition"] == "CreatesWebAcl"
    [site] = of_type(TEMPLATE, "AWS::CloudFront::Distribution").values()
    chosen = ["CreatesWebAcl", {"Fn::GetAtt": ["WebAcl", "Arn"]}, {"Ref": "AWS::NoValue"}]
    assert site["DistributionConfig"]["WebACLId"] == {
        "Fn::If": ["HasWebAcl", {"Ref": "WebAclArn"}, {"Fn::If": chosen}]
    }  # fmt: skip


def test_a_tls_version_is_asked_for_where_cloudfront_takes_it() -> None:
    [site] = of_type(TEMPLATE, "AWS::CloudFront::Distribution").values()
    version = site["DistributionConfig"]["ViewerCertificate"]["MinimumProtocolVersion"]
    assert version == {"Fn::If": ["HasWebDomain", "TLSv1.2_2021", {"Ref": "AWS::NoValue"}]}
    assert conditions("eu-west-1", "", "concerts.example.org")["HasWebDomain"]
