"""Data sets by name, retrieval protocols, and files of vectors."""
