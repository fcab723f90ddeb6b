"""What is on the shelves."""


class OutOfStock(Exception):
    """Asked for more than there is."""


class Inventory:
    """Stock levels and prices by product name."""

    def __init__(self):
        self._stock = {}
        self._prices = {}

    def restock(self, product, quantity, price_cents):
        """Put more of a product on the shelf and set its price."""
        self._stock[product] = self._stock.get(product, 0) + quantity
        self._prices[product] = price_cents

    def reserve(self, product, quantity):
        """Take stock off the shelf and return the unit price in cents."""
        if self._stock.get(product, 0) < quantity:
            raise OutOfStock(product)
        self._stock[product] -= quantity
        return self._prices[product]
