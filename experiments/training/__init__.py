"""What makes a training run: recipe, loop, folder, checkpoints, stops, input, devices. What it learns: `learning`."""
