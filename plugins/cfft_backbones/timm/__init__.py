"""The timm backbone."""
