"""Folders of images as data sets with classes, splits and folds."""
