"""The suite `imagenet`: ImageNet, its natural shifts, and corruptions made on the fly."""
