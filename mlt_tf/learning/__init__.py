"""What is learnt from: labels, losses, and the gradient delta that the meta-learner reads."""
