"""Networks in fixed point: the same integers in any order of summation, on any device, in any memory format."""
