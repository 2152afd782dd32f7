"""The networks that predict a residual: one U-Net, its frozen config, and the named configs."""
