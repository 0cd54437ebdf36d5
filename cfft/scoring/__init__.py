"""One model over one set: predictions and the numbers computed from them."""
