"""Traffic with planted campaigns and benign look-alikes, with the truth beside it: for demos, tests and drills."""
