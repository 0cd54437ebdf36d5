"""The process around the work: devices, processes, randomness, interrupts, progress, files."""
