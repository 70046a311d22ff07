"""Rule about API Gateway's deployments, which are snapshots: CloudFormation takes a new one only under a new id."""

from __future__ import annotations

import hashlib
import json

from concert_platform.validate.templates.document import Document, properties
from concert_platform.validate.templates.rule import Hits, template_rule

DEPLOYMENT = "AWS::ApiGateway::Deployment"
# What a deployment takes a picture of.
IN_A_SNAPSHOT = tuple(
    f"AWS::ApiGateway::{kind}"
    for kind in ("Authorizer", "GatewayResponse", "Method", "Model", "RequestValidator", "Resource", "RestApi")
)


def api_digest(document: Document) -> str:
    """Eight hex characters that change with every part of the template's API."""
    text = json.dumps(document.resources(*IN_A_SNAPSHOT), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@template_rule("api-deployment", "rename it, and every reference to it: the stage keeps the old API otherwise")
def api_deployment(document: Document) -> Hits:
    digest = api_digest(document)
    for logical_id in document.resources(DEPLOYMENT):
        if not logical_id.endswith(digest):
            message = f"{logical_id} is another API's picture; its name must be ApiDeployment{digest}"
            yield document.at("Resources", logical_id), message
    deployed = {str(properties(item).get("RestApiId")) for item in document.resources(DEPLOYMENT).values()}
    for logical_id in document.resources("AWS::ApiGateway::RestApi"):
        if str({"Ref": logical_id}) not in deployed:
            yield document.at("Resources", logical_id), f"API {logical_id} is never deployed: add ApiDeployment{digest}"


RULES = (api_deployment,)
