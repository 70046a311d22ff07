"""A small template that breaks no rule; a test breaks it in one place."""

from concert_platform.validate.templates.document import Document

GOOD = """\
# example: what a rule of the validator is tried on.
#
#   Bucket   files
AWSTemplateFormatVersion: '2010-09-09'
Description: Template that breaks no rule

Metadata:
  AWS::CloudFormation::Interface:
    ParameterGroups:
      - Label: {default: Environment}
        Parameters: [Environment, Days, Cidr, VpcId]
    ParameterLabels:
      Environment: {default: Environment}
      Days: {default: Days}
      Cidr: {default: Addresses}
      VpcId: {default: Network}

Parameters:
  Environment:
    Type: String
    Description: Environment that the stack belongs to.
    AllowedValues: [development, staging, production]
    ConstraintDescription: must be development, staging or production
  Days:
    Type: Number
    Description: Days after which a file expires.
    Default: 30
    MinValue: 1
    MaxValue: 365
    ConstraintDescription: must be 1 to 365 days
  Cidr:
    Type: String
    Description: Addresses of the network.
    Default: 10.0.0.0/16
    AllowedPattern: '^[0-9.]+/[0-9]{2}$'
    ConstraintDescription: must be a range of addresses
  VpcId:
    Type: AWS::EC2::VPC::Id
    Description: Network of the example.

Conditions:
  IsProduction: !Equals [!Ref Environment, production]

Resources:
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties:
      PublicAccessBlockConfiguration:
        BlockPublicAcls: true
        BlockPublicPolicy: true
        IgnorePublicAcls: true
        RestrictPublicBuckets: true

  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument:
        Statement:
          - Effect: Deny
            Principal: '*'
            Action: 's3:*'
            Resource: !Sub '${Bucket.Arn}/*'
            Condition: {Bool: {aws:SecureTransport: 'false'}}

  Role:
    Type: AWS::IAM::Role
    Condition: IsProduction
    Metadata:
      checkov:
        skip:
          - {id: CKV_AWS_111, comment: the call takes no resource}
      cfn-lint:
        config:
          ignore_checks: [W3005]  # the dependency says in which order things go
    Properties:
      PermissionsBoundary: !Sub 'arn:aws:iam::${AWS::AccountId}:policy/concert-platform-${Environment}-boundary'
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - PolicyName: read
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action:
                  - s3:GetObject
                Resource: !Sub '${Bucket.Arn}/*'
              - Effect: Allow
                Action: xray:PutTraceSegments
                Resource: '*'  # traces have no ARN

Outputs:
  TemplateVersion:
    Description: Version of this template.
    Value: '1'
  BucketName:
    Description: Where the files are.
    Value: !Ref Bucket
"""


def broken(old: str, new: str) -> Document:
    """The example with one text in place of another, which it must hold once."""
    assert GOOD.count(old) == 1, f"{old!r} is {GOOD.count(old)} times in the example"
    return Document.parse("example", GOOD.replace(old, new))
