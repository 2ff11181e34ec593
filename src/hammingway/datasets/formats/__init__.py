"""Files of vectors: npy, npz, fvecs, ivecs, bvecs, fbin, f16bin, u8bin, i8bin, ibin, HDF5 and parquet.

Every reader refuses a file that is truncated, damaged or of another kind by one
:class:`~hammingway.errors.FileFormatError`; every writer leaves a whole file or none.
"""

from hammingway.datasets.formats.class_folders import ClassFolders, read_class_folders
from hammingway.datasets.formats.files import (
    FORMAT_NAMES,
    Held,
    convert,
    describe,
    detect,
    read_labels,
    read_neighbors,
    read_vectors,
    write_neighbors,
    write_vectors,
)

__all__ = [
    "FORMAT_NAMES",
    "ClassFolders",
    "Held",
    "convert",
    "describe",
    "detect",
    "read_class_folders",
    "read_labels",
    "read_neighbors",
    "read_vectors",
    "write_neighbors",
    "write_vectors",
]
