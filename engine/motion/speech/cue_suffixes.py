"""Names of other programs' lip-sync files. Light to import."""

CUE_SUFFIXES = (".tsv", ".xml", ".json", ".dat", ".pgo")
"""Of Rhubarb (TSV, XML, JSON), Moho switches and Papagayo, as :mod:`.cue_files` reads them."""
