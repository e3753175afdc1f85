"""Asks an S3 server for what the tests need, by other means than the program's own: Python alone.

usage: objects.py BUCKET make | list PREFIX | get KEY | put KEY FILE | remove KEY... | download PREFIX DIRECTORY
"""

import datetime
import hashlib
import hmac
import os
import pathlib
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree


def signature(key, *parts):
    for part in parts:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def call(method, path, query=None, body=b""):
    """One call, signed as AWS has it (version 4)."""
    endpoint = os.environ["AWS_ENDPOINT"]
    host = endpoint.split("://")[1]
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    path = urllib.parse.quote(path)
    query = urllib.parse.urlencode(sorted((query or {}).items()), quote_via=urllib.parse.quote)
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
    signed = ";".join(headers)
    lines = [method, path, query, *(f"{k}:{v}" for k, v in headers.items()), "", signed, digest]
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    request = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, request])
    key = signature(("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode(), *scope.split("/"), text).hex()
    user = os.environ["AWS_ACCESS_KEY_ID"]
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={user}/{scope}, SignedHeaders={signed}, Signature={key}"
    url = f"{endpoint}{path}" + (f"?{query}" if query else "")
    asked = urllib.request.Request(url, data=body or None, headers=headers, method=method)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return answer.read()


def keys(bucket, prefix):
    found, after = [], ""
    while True:
        query = {"list-type": "2", "prefix": prefix} | ({"start-after": after} if after else {})
        page = ElementTree.fromstring(call("GET", f"/{bucket}", query))
        names = [e.text for e in page.iter() if e.tag.rpartition("}")[2] == "Key"]
        found += names
        truncated = [e.text for e in page.iter() if e.tag.rpartition("}")[2] == "IsTruncated"]
        if truncated != ["true"] or not names:
            return sorted(found)
        after = names[-1]


def main(bucket, what, *args):
    if what == "make":
        call("PUT", f"/{bucket}")
        call("PUT", f"/{bucket}/is-it-there", body=b"?")
        call("DELETE", f"/{bucket}/is-it-there")
    elif what == "list":
        print("\n".join(keys(bucket, args[0])))
    elif what == "get":
        sys.stdout.buffer.write(call("GET", f"/{bucket}/{args[0]}"))
    elif what == "put":
        call("PUT", f"/{bucket}/{args[0]}", body=pathlib.Path(args[1]).read_bytes())
    elif what == "remove":
        for key in args:
            call("DELETE", f"/{bucket}/{key}")
    elif what == "download":
        for key in keys(bucket, args[0]):
            path = pathlib.Path(args[1]) / key[len(args[0]) :].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(call("GET", f"/{bucket}/{key}"))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
