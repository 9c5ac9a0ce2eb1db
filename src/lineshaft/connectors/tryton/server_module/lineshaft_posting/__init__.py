"""Tryton module of lineshaft: `lineshaft.posting`, the one way by which lineshaft writes to this ERP."""
