"""From any table to model-ready shards, with the kept columns beside."""
