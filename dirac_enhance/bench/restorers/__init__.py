"""Adapters that run other restorers on a JPEG: their programs, their checkouts, their networks; nothing is vendored."""
