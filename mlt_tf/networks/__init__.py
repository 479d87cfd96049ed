"""The networks: trunk, last layer, meta-learner, and what tracking makes of them."""
