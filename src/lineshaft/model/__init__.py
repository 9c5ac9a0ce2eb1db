"""The canonical entities, in the words of ISA-95."""
