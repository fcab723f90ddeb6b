"""The shopping cart: lines, totals and discounts."""

from dataclasses import dataclass, field

from shop.inventory import Inventory


@dataclass
class Line:
    """One product and how many of it."""

    product: str
    quantity: int
    unit_price_cents: int

    def total_cents(self):
        """Price of the whole line in cents."""
        return self.quantity * self.unit_price_cents


@dataclass
class Cart:
    """What a customer is about to buy."""

    inventory: Inventory
    lines: list[Line] = field(default_factory=list)

    def add(self, product, quantity):
        """Reserve stock and add a line; raises OutOfStock when there is not enough."""
        price = self.inventory.reserve(product, quantity)
        self.lines.append(Line(product, quantity, price))

    def total_cents(self):
        """Sum of all lines in cents, before any discount."""
        return sum(line.total_cents() for line in self.lines)


def apply_discount(total_cents, percent):
    """Take percent off a total, rounding half a cent in the customer's favour."""
    if not 0 <= percent <= 100:
        raise ValueError("percent must lie between 0 and 100")
    return total_cents * (100 - percent) // 100
