"""The kinds of attack, a module each; `catalogue.KINDS` lists them."""
