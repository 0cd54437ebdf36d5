"""One model over one set: predictions, and the numbers computed from them.

Top-1 and its interval, calibration, resampling, effective robustness, means over sets and seeds.
It knows neither runs nor evaluations.
"""
