"""What is learned: train steps, optimizers, context sets, averages, a start. The run itself: `training`."""
