"""Names of other programs' lip-sync files. Light to import."""

CUE_SUFFIXES = (".tsv", ".xml", ".json", ".dat", ".pgo", ".pg2")
"""Of Rhubarb (TSV, XML, JSON), Moho switches, Papagayo and
Papagayo-NG, as :mod:`.cue_files` reads them."""
