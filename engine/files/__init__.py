"""Files on disk and elsewhere: safe reading, atomic writing, folders, locks, downloads, weights."""
