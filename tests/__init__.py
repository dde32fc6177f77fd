"""The evidence, one folder a kind: unit, property, parity, golden, contract, tidy, bench."""
