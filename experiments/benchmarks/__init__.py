"""What `benchmark` times: the input of training, and tracking."""
