"""Measured models side by side: scores, groups, differences, robustness lines."""
