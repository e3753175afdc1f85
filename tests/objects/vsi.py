"""Asks an object store for what the tests need by GDAL's own clients, which share nothing with the program's.

usage: vsi.py ROOT make | list PREFIX | remove NAME... | download PREFIX DIRECTORY      (ROOT: /vsiaz/bucket, /vsigs/bucket)
"""

import pathlib
import sys

from osgeo import gdal

gdal.UseExceptions()


def names(root, prefix):
    """The names of all objects below a prefix, which is relative to the root and so are they."""
    found = gdal.ReadDirRecursive(f"{root}/{prefix}") or []
    return sorted(prefix + name for name in found if not name.endswith("/"))


def read(path):
    size = gdal.VSIStatL(path).size
    file = gdal.VSIFOpenL(path, "rb")
    data = gdal.VSIFReadL(1, size, file) if size else b""
    gdal.VSIFCloseL(file)
    return data


def main(root, what, *args):
    if what == "make":
        assert gdal.Mkdir(root, 0o755) == 0, root
    elif what == "list":
        print("\n".join(names(root, args[0])))
    elif what == "remove":
        for name in args:
            assert gdal.Unlink(f"{root}/{name}") == 0, name
    elif what == "download":
        for name in names(root, args[0]):
            path = pathlib.Path(args[1]) / name[len(args[0]) :].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(read(f"{root}/{name}"))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
