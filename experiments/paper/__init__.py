"""The paper's tables beside our own figures. Scores come from `scoring`."""
