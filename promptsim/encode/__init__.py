"""Encode: texts → vectors (see `encoder.py`)."""
