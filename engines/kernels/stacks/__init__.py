"""Stacks: several entries in one direction, by walks over wishes and the ends of entries."""
