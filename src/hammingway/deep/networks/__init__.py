"""Networks: from an example to one score a bit, one file an architecture."""
