"""What the local AWS gains over ministack: services, CloudFormation types, role credentials, the call log.

A module here declares what it brings; `registry.py` finds and installs it:

    SERVICE         dict: name, module state under that key, credential_scope, target_prefix (of X-Amz-Target),
                    iam_namespace, and optionally resource_arn(action, request, region, account) -> ARN or "*"
                    (what AUTH=true checks the caller's policy against; `request` is the decoded JSON body)
    PASS_ROLE       dict: IAM action -> dotted path of the request field that names a role; the caller needs
                    iam:PassRole on it
    STATE           key under which the module's state is kept over a restart, for one that is no service
    RESOURCE_TYPES  dict: CloudFormation type -> {"create", "delete", "update", "import", ...} in ministack's
                    signatures, over its own handlers of the type; also "import_problem"(*identifier) -> why it cannot
                    be imported, or None, and "read"(physical id, properties) -> properties as they are, for drift,
                    with "reads", the names of those that it knows (by default all of the schema)
    BLOCKING_TYPES  set of those types whose handlers call the emulator over HTTP (they run on a worker thread)
    PATCHES         dict: dotted path of a ministack function -> the function that takes its place, also inside
                    the module's dispatch tables

A service module also has ministack's own handle_request, reset, get_state and load_persisted_state. Modules do not
import each other, and are installed in the order of their names, each over what those before have put in place. What
they share: role_credentials and deliver of registry.py, and AWS's resource schemas (resource_schemas.py).
"""
