"""A real ERP, Tryton on SQLite: its environment, its seed, its server process and its books."""
