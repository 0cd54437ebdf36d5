"""The image sets that models are measured on, and leakage from training sets."""
