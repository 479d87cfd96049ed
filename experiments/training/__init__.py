"""What makes a training run: loop, folder, checkpoints, stops, input, devices. What it measures: `watching`."""
