"""The process around the work: devices, processes, randomness, interrupts, progress, files.

The only room that knows accelerate. It knows nothing of images, models or runs.
"""
