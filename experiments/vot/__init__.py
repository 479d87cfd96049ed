"""Workspaces of the VOT toolkit, and what it answers."""
