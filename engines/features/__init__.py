"""Features: causal columns computed from klines, one function a formula, TradingView's forms."""
