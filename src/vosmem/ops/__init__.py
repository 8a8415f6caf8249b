"""Pure tensor functions: the equations that the networks, the training and the inference share."""
