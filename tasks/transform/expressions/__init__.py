"""The attribute-mapping expression language: parsed once, checked once, evaluated over Arrow columns."""
