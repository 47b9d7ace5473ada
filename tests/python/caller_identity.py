"""Asks AWS's STS who the profile of ~/.aws/config is, with the AWS SDK for Python; the arguments are the profile and STS."""

import json
import sys

import boto3

profile, endpoint = sys.argv[1:]
session = boto3.Session(profile_name=profile, region_name="us-east-1")
identity = session.client("sts", endpoint_url=endpoint).get_caller_identity()
credentials = session.get_credentials().get_frozen_credentials()
print(json.dumps({"arn": identity["Arn"], "access_key": credentials.access_key}))
