"""The reference engine's rules again, compiled: many runs at a time, equal trade by trade."""
