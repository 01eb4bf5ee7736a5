"""Vectors of anything: sensors with planted defects, an access log with planted attacks, ads by interest.

python examples/iot_log_ads.py
"""

import numpy as np

from imi import tasks
from imi.vectors import normalize


def sensors():
    """Make 400 machines' daily temperature curves, five of them with a fault, and find the five."""
    rng = np.random.default_rng(0)
    hours = np.arange(24)
    curves = 20 + 5 * np.sin((hours - 8) / 24 * 2 * np.pi) + rng.normal(0, 0.4, (400, 24))
    broken = [17, 90, 203, 311, 388]
    curves[broken[0]] = 20 + rng.normal(0, 0.4, 24)  # stuck
    curves[broken[1], 12:] -= 14  # falls out at noon
    curves[broken[2]] = curves[broken[2]][::-1]  # wired the wrong way round
    curves[broken[3]] += rng.normal(0, 5, 24)  # noisy
    curves[broken[4], ::2] += 9  # jumps
    found = tasks.anomalies(curves - curves.mean())
    print("sensors: planted", broken, "found", sorted(found.rows.tolist()))
    print("  ", found.reasons[0])
    return set(broken) <= set(found.rows.tolist())


def access_log():
    """Make 2,000 visitors as counts of what they ask for, three of them attackers, and find the three."""
    rng = np.random.default_rng(1)
    kinds = rng.dirichlet([6, 4, 2, 1, 0.2, 0.05], 2000)  # pages, pictures, search, forms, errors, admin
    attackers = [5, 777, 1500]
    kinds[5] = [0.02, 0, 0, 0.03, 0.05, 0.9]
    kinds[777] = [0.02, 0, 0, 0.1, 0.88, 0]
    kinds[1500] = [0, 0, 0, 0.97, 0.03, 0]
    found = tasks.anomalies(normalize(np.sqrt(kinds)), share=0.005)
    print("access log: planted", attackers, "found among", sorted(found.rows.tolist()))
    return set(attackers) <= set(found.rows.tolist())


def ads():
    """Make users and ads as shares of interest, and show each user what is near without showing it thrice."""
    interests = ["cats", "coffee", "chess", "hiking"]
    rng = np.random.default_rng(2)
    shown = normalize(rng.dirichlet([0.4] * 4, 60))
    liked = [int(shown[:, 0].argmax()), int(shown[:, 1].argmax())]
    chosen = tasks.recommend(shown, liked, k=3, diversity=0.3)
    names = [interests[int(shown[row].argmax())] for row in chosen.rows]
    print("ads: somebody who likes cats and coffee is shown", names)
    return set(names) <= {"cats", "coffee"}


def main():
    """Run all three; return whether each found what was planted."""
    return all([sensors(), access_log(), ads()])


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
