"""What a frame costs: implementations in their own processes, in turn, and the least that this machine could need."""
