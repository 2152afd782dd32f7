"""The codec's networks: Swin transforms, hyperprior, channel-wise autoregressive prior, latent scaling."""
