"""The tracker, its trunk and its network for what runs them elsewhere."""
