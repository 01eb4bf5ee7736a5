"""A plain folder as a collection: its index lies in the user's cache, never in the folder, and follows its files."""

from imi.mirror.cache import Forgotten, Holder, Mirror, forget
from imi.mirror.following import Follower
from imi.mirror.update import Refreshed, open_mirror, refresh

__all__ = ["Follower", "Forgotten", "Holder", "Mirror", "Refreshed", "forget", "open_mirror", "refresh"]
