"""Google Cloud Storage for the length of a test: the part of its XML API that clients of objects speak, in memory.

usage: server.py          prints the port that it listens on, on loopback, and serves until it is killed

No emulator that can be had speaks this: fake-gcs-server and gcp-storage-emulator have the JSON API, and of the XML one no
ETag, no precondition, no multipart upload, without which `object_store` does not work. So this follows Google's own
documentation of it, and is checked by two clients that know nothing of each other: `object_store` and GDAL's /vsigs/.

It lets in who shows the token that its metadata server gives out (workload identity), a token that the service account
`tests` signed itself, or the interoperability key `tests`. Signatures are not verified.
"""

import base64
import email.utils
import hashlib
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

TOKEN = "the-token-of-the-metadata-server"
ACCOUNT = "tests@clearmosaic.invalid"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SERVICE_ACCOUNTS = "/computeMetadata/v1/instance/service-accounts/default/"


class Refused(Exception):
    """A status, and the code that the XML of an error names."""


class Stored:
    """An object, and the generation that it is of: greater than any before it."""

    generations = 1_700_000_000_000_000

    def __init__(self, data):
        Stored.generations += 1
        self.data, self.generation = data, Stored.generations
        self.etag = f'"{hashlib.md5(data).hexdigest()}"'
        self.modified = email.utils.formatdate(usegmt=True)

    def headers(self):
        return {"ETag": self.etag, "x-goog-generation": str(self.generation), "Last-Modified": self.modified}


class Shop:
    """All buckets; every change is made under one lock, so that preconditions hold."""

    def __init__(self):
        self.lock = threading.Lock()
        self.buckets = {}
        self.uploads = {}

    def bucket(self, name):
        if name not in self.buckets:
            raise Refused(404, "NoSuchBucket")
        return self.buckets[name]

    def get(self, bucket, key):
        found = self.bucket(bucket).get(key)
        if found is None:
            raise Refused(404, "NoSuchKey")
        return found

    def put(self, bucket, key, data, generation=None):
        """Where a generation is given, it must be the present one; 0 is that of no object."""
        with self.lock:
            objects = self.bucket(bucket)
            present = objects[key].generation if key in objects else 0
            if generation is not None and int(generation) != present:
                raise Refused(412, "PreconditionFailed")
            objects[key] = Stored(data)
            return objects[key]

    def remove(self, bucket, key):
        with self.lock:
            if self.bucket(bucket).pop(key, None) is None:
                raise Refused(404, "NoSuchKey")

    def begin(self, bucket, key):
        self.bucket(bucket)
        upload = uuid.uuid4().hex
        self.uploads[upload] = (bucket, key, {})
        return upload

    def parts(self, upload):
        if upload not in self.uploads:
            raise Refused(404, "NoSuchUpload")
        return self.uploads[upload][2]

    def complete(self, upload, listed):
        """Puts the parts together that are listed, which must be those that were put, in order."""
        parts = self.parts(upload)
        numbers = [number for number, _ in listed]
        if numbers != sorted(set(numbers)) or any(parts[n].etag != etag for n, etag in listed):
            raise Refused(400, "InvalidPart")
        bucket, key, _ = self.uploads.pop(upload)
        return self.put(bucket, key, b"".join(parts[n].data for n in numbers))


SHOP = Shop()


def may_enter(authorization):
    scheme, _, shown = authorization.partition(" ")
    if scheme == "GOOG1":
        return shown.startswith("tests:")
    if scheme != "Bearer" or not shown:
        return False
    parts = shown.split(".")
    if len(parts) != 3:
        return shown == TOKEN
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    return claims["iss"] == ACCOUNT and claims["scope"] == SCOPE


def between(text, size):
    """The first byte of a Range header, and that behind its last."""
    first, last = text.removeprefix("bytes=").split("-")
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= size:
        raise Refused(416, "InvalidRange")
    return start, end


def listing(bucket, asked):
    prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
    after = asked.get("continuation-token") or asked.get("marker") or asked.get("start-after") or ""
    most = int(asked.get("max-keys", 1000))
    shown, folders = [], []
    for key, found in sorted(SHOP.bucket(bucket).items()):
        below = key[len(prefix) :]
        if not key.startswith(prefix) or key <= after:
            continue
        if delimiter and delimiter in below:
            folder = prefix + below.split(delimiter)[0] + delimiter
            folders += [folder] if folder not in folders and folder > after else []
        else:
            shown.append((key, found))
    cut = shown[most:]
    next_one = escape(shown[most - 1][0]) if cut else ""
    contents = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>2023-08-01T00:00:00.000Z</LastModified>"
        f"<ETag>{escape(found.etag)}</ETag><Size>{len(found.data)}</Size></Contents>"
        for key, found in shown[:most]
    )
    prefixes = "".join(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders)
    token = f"<NextContinuationToken>{next_one}</NextContinuationToken><NextMarker>{next_one}</NextMarker>" if cut else ""
    state = f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>{str(bool(cut)).lower()}</IsTruncated>"
    return xml("ListBucketResult", state + token + contents + prefixes)


def xml(name, inner):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}>{inner}</{name}>'.encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=None, length=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def handle_one(self):
        url = urlsplit(self.path)
        asked = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path.startswith(SERVICE_ACCOUNTS):
            return self.metadata(url.path.removeprefix(SERVICE_ACCOUNTS))
        try:
            if not may_enter(self.headers.get("Authorization", "")):
                raise Refused(401, "AuthenticationRequired")
            bucket, _, key = url.path.lstrip("/").partition("/")
            bucket, key = unquote(bucket), unquote(key)
            if key:
                return getattr(self, f"object_{self.command}")(bucket, key, asked, body)
            return self.of_bucket(bucket, asked)
        except Refused as refused:
            status, code = refused.args
            text = xml("Error", f"<Code>{code}</Code><Message>{code}</Message>")
            return self.answer(status, b"" if self.command == "HEAD" else text, length=len(text))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one

    def metadata(self, what):
        if self.headers.get("Metadata-Flavor") != "Google":
            return self.answer(403)
        if what == "email":
            return self.answer(200, ACCOUNT.encode())
        token = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
        return self.answer(200, json.dumps(token).encode(), {"Content-Type": "application/json"})

    def of_bucket(self, bucket, asked):
        if self.command == "PUT":
            SHOP.buckets.setdefault(bucket, {})
            return self.answer(200)
        return self.answer(200, listing(bucket, asked), {"Content-Type": "application/xml"})

    def object_GET(self, bucket, key, *_):
        found = SHOP.get(bucket, key)
        headers, size = found.headers(), len(found.data)
        status, start, end = 200, 0, size
        if "Range" in self.headers:
            start, end = between(self.headers["Range"], size)
            status, headers["Content-Range"] = 206, f"bytes {start}-{end - 1}/{size}"
        data = b"" if self.command == "HEAD" else found.data[start:end]
        return self.answer(status, data, headers, end - start)

    object_HEAD = object_GET

    def object_PUT(self, bucket, key, asked, body):
        if "uploadId" in asked:
            part = SHOP.parts(asked["uploadId"])[int(asked["partNumber"])] = Stored(body)
            return self.answer(200, b"", {"ETag": part.etag})
        source = self.headers.get("x-goog-copy-source")
        if source:
            body = SHOP.get(*unquote(source).lstrip("/").split("/", 1)).data
        put = SHOP.put(bucket, key, body, self.headers.get("x-goog-if-generation-match"))
        said = xml("CopyObjectResult", f"<ETag>{escape(put.etag)}</ETag>") if source else b""
        return self.answer(200, said, put.headers())

    def object_POST(self, bucket, key, asked, body):
        if "uploads" in asked:
            inner = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{SHOP.begin(bucket, key)}</UploadId>"
            return self.answer(200, xml("InitiateMultipartUploadResult", inner))
        parts = [{e.tag.rpartition("}")[2]: e.text for e in part} for part in ElementTree.fromstring(body)]
        put = SHOP.complete(asked["uploadId"], [(int(part["PartNumber"]), part["ETag"]) for part in parts])
        inner = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><ETag>{escape(put.etag)}</ETag>"
        return self.answer(200, xml("CompleteMultipartUploadResult", inner), put.headers())

    def object_DELETE(self, bucket, key, asked, _):
        if "uploadId" in asked:
            SHOP.parts(asked["uploadId"])
            del SHOP.uploads[asked["uploadId"]]
        else:
            SHOP.remove(bucket, key)
        return self.answer(204)


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
