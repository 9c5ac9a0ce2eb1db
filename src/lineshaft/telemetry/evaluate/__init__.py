"""All rules on all readings: in columns, and one by one as the reference."""
