"""Files on disk and elsewhere: safe reading, whole writing, folders, locks, downloads, weights."""
