"""SwinT-ChARM."""
