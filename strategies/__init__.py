"""What to want: the strategy contract and the strategies. As pure as the engines."""
