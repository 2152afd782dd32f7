"""Training an enhancer: pairs made on the fly, the loop, checkpoints, validation, export to a weights file."""
