"""Parts: chains whose positions close in parts, at several targets."""
