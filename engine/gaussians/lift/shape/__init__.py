"""The shape of the dressed person: the mesh carried out to what is worn, and its depth."""
