"""The page of `mlt-track --browser` and `mlt-web`: who may see it, a clip's frames, the session that its tabs share."""
