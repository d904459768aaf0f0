"""The shop's schema; Xinshi's tables have a history of their own (`xinshi migrate`)."""
