"""Which alerts a subscriber gets, and the floor that no filter takes away (ENF-051 IV.D.1, IV.D.2)."""

from collections.abc import Set as AbstractSet

from services.alerts.core.model import Category

# IV.D.2: felony vehicles, stolen vehicles, AMBER and SILVER, at a minimum. A stolen plate rides on a vehicle
# that nobody has identified yet, so it counts as stolen.
FLOOR = frozenset(
    {Category.FELONY, Category.STOLEN_VEHICLE, Category.STOLEN_PLATE, Category.AMBER, Category.SILVER}
)


def wanted_categories(chosen: AbstractSet[Category]) -> frozenset[Category]:
    """What a subscriber who chose `chosen` gets: all when nothing was chosen, never less than FLOOR."""
    return frozenset(chosen) | FLOOR if chosen else frozenset(Category)


def is_wanted(categories: AbstractSet[Category], wanted: frozenset[Category]) -> bool:
    """Whether an alert of `categories` goes to who gets `wanted`, a result of `wanted_categories`."""
    return not wanted.isdisjoint(categories)
