"""Gates: chains whose entries hang on how earlier positions ended."""
