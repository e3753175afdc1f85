#!/usr/bin/env python3
"""Judges the STAC of a published mosaic by STAC's own JSON schemas, and checks that its links lead somewhere.

    python3 -m venv VENV && VENV/bin/pip install jsonschema pyyaml pystac      (once)
    VENV/bin/python validate.py --fetch SCHEMAS                                (once: gets the schemas)
    VENV/bin/python validate.py --schemas SCHEMAS OUTPUT/NAME

The schemas come from PyPI alone: the core's are in pystac's wheel, the extensions' in the recorded answers of the tests
of pystac's extension packages. PyPI has no copy of two of them: projection 1.1.0 is judged by 2.0.0 and processing
1.2.0 by 1.0.0, with the fields that differ translated or left out; put the true ones at SCHEMAS/<host>/<path> and they
are used instead. What cannot be judged is said aloud. Exit code: 0 valid, 1 not valid, 77 skipped: no schemas.
"""

import argparse
import copy
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

CORE = "pystac==1.9.0"
EXTENSIONS = [
    "pystac-ext-eo==1.1.1",
    "pystac-ext-file==2.1.1",
    "pystac-ext-grid==1.1.1",
    "pystac-ext-projection==2.0.1",
    "pystac-ext-raster==1.1.1",
    "pystac-ext-scientific==1.0.1",
    "pystac-ext-version==1.2.1",
]
SKIPPED = 77
URI = re.compile(r"^[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+$")
HOST = "https://stac-extensions.github.io/"


def place(schemas, uri):
    """Where a schema lies."""
    return schemas / uri.split("://", 1)[1].rstrip("#")


def fetch(schemas):
    """Gets every schema that PyPI has."""
    import yaml

    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch]
        subprocess.run([*pip, CORE], check=True)
        subprocess.run([*pip, "--no-binary", ":all:", *EXTENSIONS], check=True)
        for wheel in Path(scratch).glob("*.whl"):
            with zipfile.ZipFile(wheel) as files:
                for name in files.namelist():
                    if "/jsonschemas/" in name and name.endswith(".json"):
                        keep(schemas, files.read(name).decode())
        for package in Path(scratch).glob("*.tar.gz"):
            with tarfile.open(package) as files:
                for member in files.getmembers():
                    if "/cassettes/" in member.name and member.isfile():
                        recorded(schemas, yaml.safe_load(files.extractfile(member)))


def recorded(schemas, cassette):
    """Keeps the schemas among recorded answers."""
    for interaction in cassette["interactions"]:
        text = interaction["response"]["body"].get("string") or ""
        if interaction["request"]["uri"].endswith("schema.json") and '"$id"' in text:
            keep(schemas, text)


def keep(schemas, text):
    path = place(schemas, json.loads(text)["$id"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def schema(schemas, uri):
    path = place(schemas, uri)
    return json.loads(path.read_text()) if path.is_file() else None


def by_projection_2(document):
    """Projection 2.0.0 says `proj:code: EPSG:n` where 1.1.0 said `proj:epsg: n`."""
    fields = document.get("properties", {})
    if "proj:epsg" in fields:
        fields["proj:code"] = f"EPSG:{fields.pop('proj:epsg')}"


def by_processing_1_0(document):
    """Processing 1.0.0 has no `processing:datetime` yet."""
    for fields in [document.get("properties", {}), *document.get("providers", [])]:
        fields.pop("processing:datetime", None)


STAND_INS = {
    f"{HOST}projection/v1.1.0/schema.json": (f"{HOST}projection/v2.0.0/schema.json", by_projection_2),
    f"{HOST}processing/v1.2.0/schema.json": (f"{HOST}processing/v1.0.0/schema.json", by_processing_1_0),
}


def judged_by(schemas, uri, document):
    """The schema for `uri`, and the document as that schema wants it."""
    own = schema(schemas, uri)
    if own is not None or uri not in STAND_INS:
        return own, document
    other, translate = STAND_INS[uri]
    document = copy.deepcopy(document)
    document["stac_extensions"] = [other if e == uri else e for e in document["stac_extensions"]]
    translate(document)
    return schema(schemas, other), document


def validate(schemas, path, document):
    """Every fault of a document by its schemas, and the schemas that are not at hand."""
    from jsonschema import Draft7Validator, FormatChecker
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    def retrieve(uri):
        found = schema(schemas, uri)
        if found is None:
            raise LookupError(uri)
        return Resource.from_contents(found, default_specification=DRAFT7)

    kind = {"Feature": "item", "Collection": "collection", "Catalog": "catalog"}[document["type"]]
    core = f"https://schemas.stacspec.org/v{document['stac_version']}/{kind}-spec/json-schema/{kind}.json"
    faults, missing = [], []
    for uri in [core, *document.get("stac_extensions", [])]:
        rules, translated = judged_by(schemas, uri, document)
        if rules is None:
            missing.append(uri)
            continue
        validator = Draft7Validator(rules, registry=Registry(retrieve=retrieve), format_checker=FormatChecker())
        for error in validator.iter_errors(translated):
            at = "/".join(map(str, error.absolute_path))
            faults.append(f"{path}: {uri}: {at}: {error.message[:200]}")
            faults.extend(f"    {c.message[:200]}" for c in error.context or [])
    return faults, missing


def links(path, document):
    """Every href that is no URI reference or leads nowhere."""
    hrefs = [link["href"] for link in document["links"]]
    assets = list(document.get("assets", {}).values())
    for href in hrefs + [asset["href"] for asset in assets]:
        if not URI.match(href):
            yield f"{path}: {href!r} is no URI reference"
        elif ":" not in href.split("/")[0] and not (path.parent / href).is_file():
            yield f"{path}: {href} is not there"
    for asset in assets:
        if (path.parent / asset["href"]).stat().st_size != asset["file:size"]:
            yield f"{path}: {asset['href']}: its size is not file:size"


def by_pystac(root):
    """What pystac makes of the whole."""
    try:
        import pystac
    except ImportError:
        print("NOT CHECKED: reading with pystac, which is not installed")
        return []
    collection = pystac.Collection.from_file(str(root / "collection.json"))
    read = {item.id for item in collection.get_items()}
    listed = {path.stem for path in (root / "items").glob("*.json")}
    return [] if read == listed else [f"{root}: pystac finds the items {sorted(read)}, not {sorted(listed)}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fetch", type=Path, metavar="SCHEMAS", help="get the schemas into this directory")
    parser.add_argument("--schemas", type=Path, default=os.environ.get("STAC_SCHEMAS"), help="or STAC_SCHEMAS")
    parser.add_argument("publication", type=Path, nargs="?", help="a published mosaic's directory")
    given = parser.parse_args()
    if given.fetch:
        fetch(given.fetch)
    if given.publication is None:
        return 0
    schemas = Path(given.schemas) if given.schemas else given.fetch
    if schemas is None or not schemas.is_dir():
        print("SKIPPED: no schemas: get them with --fetch", file=sys.stderr)
        return SKIPPED
    faults, missing = [], set()
    paths = [given.publication / "collection.json", *sorted((given.publication / "items").glob("*.json"))]
    # The catalogue of versions, where the publication is one of several.
    catalogue = given.publication / ".." / "versions.json"
    paths += [catalogue] if catalogue.is_file() else []
    for path in paths:
        document = json.loads(path.read_text())
        wrong, unknown = validate(schemas, path, document)
        faults += [*wrong, *links(path, document)]
        missing.update(unknown)
    faults += by_pystac(given.publication)
    for uri in sorted(missing):
        print(f"NOT CHECKED: {uri}: no such schema in {schemas}")
    print("\n".join(faults) or f"valid: {len(paths)} documents of {given.publication}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
