"""`batchtx demo`: the main job on real data, from training to the scored table."""
