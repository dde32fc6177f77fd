"""What is true: bars, indicators, the broker and what follows from them. Pure: no I/O, no clock."""
