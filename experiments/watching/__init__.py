"""What is measured and shown of networks, while they train and afterwards: validation, probes, sheets, TensorBoard."""
