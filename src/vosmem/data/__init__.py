"""What is on disk, and how it becomes clips and sequences. Data never sees a network."""
