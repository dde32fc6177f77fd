"""What a plan's rules say at every close: columns of permissions, closes and volatility."""

from engines.rules.columns import RuleColumns, rule_columns

__all__ = ["RuleColumns", "rule_columns"]
