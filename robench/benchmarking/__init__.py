"""Attacks of robench beside those of other libraries: one network, one set of images, one judge."""
