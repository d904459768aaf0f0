"""The tables, and the view for whoever reads with SQL; the store alone imports them."""
