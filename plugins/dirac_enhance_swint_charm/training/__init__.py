"""Training the codec: crops in, averaged weights out, by the rate–distortion loss."""
