"""Training data on disk: subjects, shards, pictures, pairs of views and their cards."""
