"""Whether an evaluation can be believed: checks of the wrapper, the attacks and the network."""
