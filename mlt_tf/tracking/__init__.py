"""Algorithm 1: its steps for B targets, what they search and remember, and their updates."""
