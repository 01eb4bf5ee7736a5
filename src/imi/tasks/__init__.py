"""Use cases."""

from imi.tasks.classify import classify
from imi.tasks.regress import regress
