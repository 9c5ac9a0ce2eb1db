"""Create, activate and fill the ERP database of Northspring Beverages. Runs inside the Tryton environment:

    python seed.py <directory>

Leaves `<directory>/seeded.sqlite` and `<directory>/keys.json` with the REST keys of two users: `integration`
(technical user of lineshaft with the rights it needs) and `auditor` (administrator, to look at the books).
"""

# Tryton reads its configuration when it is imported, so it is imported late.
# ruff: noqa: PLC0415
# mypy: disable-error-code="import-not-found, no-untyped-call, attr-defined, misc"
from __future__ import annotations

import datetime as dt
import gc
import json
import os
import secrets
import sqlite3
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

MODULES = (
    "company",
    "account",
    "account_product",
    "product",
    "stock",
    "purchase",
    "purchase_request",
    "purchase_requisition",
    "lineshaft_posting",
)
GROUPS = ("Stock", "Purchase Requisition", "Purchase Requisition Approval", "Purchase Request", "Accounting")

Records = dict[str, Any]


def main(directory: Path) -> None:
    gc.disable()  # one short-lived process: collecting costs a sixth of its time
    (directory / "seed").mkdir()
    database = directory / "seed" / "erp.sqlite"
    config = directory / "seed" / "trytond.conf"
    config.write_text(f"[database]\nuri = sqlite://\npath = {database.parent}\n")
    _activate(config, database)
    keys = _fill(config)
    (directory / "keys.json").write_text(json.dumps(keys))
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    database.rename(directory / "seeded.sqlite")


def _activate(config: Path, database: Path) -> None:
    from trytond import commandline
    from trytond import config as settings

    database.touch()
    password = database.parent / "admin-password"
    password.write_text(secrets.token_urlsafe(24))
    os.environ["TRYTONPASSFILE"] = str(password)
    arguments = ["-c", str(config), "-d", "erp", "--email", "admin@northspring.example"]
    modules = ["--activate-dependencies", "-u", "ir", "res", *MODULES]
    options = commandline.get_parser_admin().parse_args([*arguments, *modules])
    options.indexes = True
    settings.update_etc(options.configfile)
    from trytond import admin

    admin.run(options)


def _fill(config: Path) -> dict[str, str]:
    from proteus import Model
    from proteus import config as connection
    from trytond.modules.account.tests.tools import create_chart
    from trytond.modules.company.tests.tools import create_company, get_company

    current = connection.set_trytond("sqlite:///erp", config_file=str(config))
    party = Model.get("party.party")(name="Northspring Beverages")
    party.save()
    create_company(party=party, currency=_euro(Model))
    company = get_company()
    company.timezone = "Europe/Berlin"
    company.save()
    _number_prefixes(Model)
    _fiscal_years(Model, company)
    create_chart(company)
    _cost_posting(Model, company)
    _places(Model)
    _stock(Model, _materials(Model))
    return _users(Model, current, company)


def _euro(model: Any) -> Any:
    """The currency is the only one: no rate is needed."""
    euro = model.get("currency.currency")(name="Euro", symbol="€", code="EUR", rounding=Decimal("0.01"))
    euro.save()
    rate = model.get("currency.currency.rate")(date=dt.date.min, rate=Decimal(1), currency=euro)
    rate.save()
    return euro


def _number_prefixes(model: Any) -> None:
    """Document numbers say what they number."""
    for kind, prefix in (
        ("Internal Shipment", "INT-"),
        ("Supplier Shipment", "REC-"),
        ("Inventory", "INV-"),
        ("Purchase Requisition", "REQ-"),
    ):
        (sequence,) = model.get("ir.sequence").find([("sequence_type.name", "=", kind)])
        sequence.prefix = prefix
        sequence.padding = 5
        sequence.save()


def _fiscal_years(model: Any, company: Any) -> None:
    """Previous, current and next calendar year, twelve open periods each; document numbers carry the year."""
    from trytond.modules.account_invoice.tests.tools import set_fiscalyear_invoice_sequences

    (kind,) = model.get("ir.sequence.type").find([("name", "=", "Account Move")], limit=1)
    this_year = dt.datetime.now(dt.UTC).year
    for year in (this_year - 1, this_year, this_year + 1):
        sequence = model.get("ir.sequence.strict")(
            name=f"Postings {year}", sequence_type=kind, company=company, prefix=f"GL-{year}-", padding=5
        )
        sequence.save()
        fiscal_year = model.get("account.fiscalyear")(
            name=str(year),
            start_date=dt.date(year, 1, 1),
            end_date=dt.date(year, 12, 31),
            company=company,
            move_sequence=sequence,
        )
        fiscal_year = set_fiscalyear_invoice_sequences(fiscal_year)
        fiscal_year.save()
        fiscal_year.click("create_period")


def _cost_posting(model: Any, company: Any) -> None:
    """Accounts 6300 and 6390 and the journal that maintenance labour is posted with."""
    from trytond.modules.account.tests.tools import get_accounts

    usual = get_accounts(company)
    account = model.get("account.account")
    (kind,) = model.get("account.account.type").find([("expense", "=", True)], limit=1)
    for code, name in (("6300", "Maintenance labour"), ("6390", "Maintenance labour, clearing")):
        account(name=name, code=code, type=kind, company=company).save()
    model.get("account.journal")(name="Maintenance cost", code="MNT", type="general").save()
    category = model.get("product.category")(name="Beverage plant", accounting=True)
    category.account_expense = usual["expense"]
    category.account_revenue = usual["revenue"]
    category.save()


def _places(model: Any) -> None:
    """MNT lies outside the warehouse: what is moved there is no longer stock on hand."""
    location = model.get("stock.location")
    (warehouse,) = location.find([("type", "=", "warehouse")])
    warehouse.name = "Northspring plant"
    (warehouse.lost_found_location,) = location.find([("type", "=", "lost_found")])
    warehouse.save()
    location(name="Maintenance consumption", code="MNT", type="lost_found").save()


def _materials(model: Any) -> Records:
    supplier = model.get("party.party")(name="Dichtring GmbH", code="SUP-100")
    supplier.save()
    units = {unit.symbol: unit for unit in model.get("product.uom").find([("symbol", "in", ["u", "kg"])])}
    (category,) = model.get("product.category").find([("name", "=", "Beverage plant")])
    materials = {}
    for code, name, symbol, cost, purchasable in (
        ("SEAL-KIT-01", "Seal kit, filler valve", "u", "48.00", True),
        ("VALVE-02", "Filler valve", "u", "310.00", True),
        ("GREASE-FG", "Food-grade grease", "kg", "19.50", True),
        ("WATER-05", "Still water 0.5 l", "u", "0.11", False),
    ):
        template = model.get("product.template")(name=name, default_uom=units[symbol], type="goods")
        template.list_price = Decimal(0)
        template.account_category = category
        template.purchasable = purchasable
        (product,) = template.products
        product.suffix_code = code
        product.cost_price = Decimal(cost)
        if purchasable:
            template.purchase_uom = units[symbol]
            template.product_suppliers.new(party=supplier)
        template.save()
        (materials[code],) = template.products
    return materials


def _stock(model: Any, materials: Records) -> None:
    (storage,) = model.get("stock.location").find([("code", "=", "STO")])
    inventory = model.get("stock.inventory")(location=storage)
    for code, quantity in (("SEAL-KIT-01", 24), ("VALVE-02", 6), ("GREASE-FG", 10)):
        inventory.lines.new(product=materials[code], quantity=quantity)
    inventory.click("confirm")


def _users(model: Any, current: Any, company: Any) -> dict[str, str]:
    party = model.get("party.party")(name="lineshaft")
    party.save()
    employee = model.get("company.employee")(party=party, company=company)
    employee.save()
    user = model.get("res.user")(name="lineshaft", login="lineshaft")
    for group in model.get("res.group").find([("name", "in", list(GROUPS))]):
        user.groups.append(group)
    user.companies.append(company)
    user.company = company
    user.employees.append(employee)
    user.employee = employee
    user.save()
    application = model.get("res.user.application")
    keys = {}
    for name, owner in (("integration", user), ("auditor", model.get("res.user")(current.user))):
        key = application(user=owner, application="rest")
        key.save()
        if key.state != "validated":
            key.click("validate_")
        keys[name] = key.key
    return keys


if __name__ == "__main__":
    main(Path(sys.argv[1]))
