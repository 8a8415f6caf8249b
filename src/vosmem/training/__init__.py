"""Teaching a network: the unroll over a clip, the losses, the Lightning modules and callbacks."""
