"""Questions about images that presage draws itself: seeded, unlimited, test and train disjoint by construction."""
