"""Figures of merit of a finished run; what is undefined is NaN, never zero."""
