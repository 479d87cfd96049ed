"""What `mlt-track` shows and writes: boxes from flags, windows, the annotated video. No tracker."""
