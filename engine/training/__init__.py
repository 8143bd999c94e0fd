"""Training the network: shards, pairs of views, losses and the loop."""
