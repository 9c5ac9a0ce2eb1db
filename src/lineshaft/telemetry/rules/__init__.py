"""The kinds of rules: how each is declared, and what it does reading by reading."""
