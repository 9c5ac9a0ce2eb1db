"""The Tryton connector against a real Tryton."""
