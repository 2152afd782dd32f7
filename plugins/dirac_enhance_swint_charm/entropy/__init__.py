"""Entropy coding of integer symbols by CompressAI's rANS coder, safe on streams that nobody's encoder wrote."""
