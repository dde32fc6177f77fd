"""Who lives long: feeds, traders, risk, venues. Empty until the first of them moves in."""
