"""The suite `cifar10`: CIFAR-10, its two reproductions, and CIFAR-10-C."""
