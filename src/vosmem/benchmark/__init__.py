"""`vosmem benchmark`: the time and memory of a frame, timed in this process by `torch.utils.benchmark`."""
