"""User_and_product_embeddings: users and products as the means of their reviews, and what these foretell.

python examples/cookbook/user_and_product.py
"""

from fine_food import beside, load

from imi import tasks


def main():
    """Foretell each review's stars from its user's and its product's other reviews."""
    reviews = load()
    by = [[row["UserId"] for row in reviews.rows], [row["ProductId"] for row in reviews.rows]]
    found = tasks.profiles(reviews.z, by, reviews.stars.tolist(), method="texts")
    beside(f"correlation with the stars, {found.n} reviews", found.correlation, ".296")
    print(f"  95 % interval: {found.interval[0]:.3f} to {found.interval[1]:.3f}")
    users, products = found.profiles
    print(f"{len(users.names)} users and {len(products.names)} products")
    user = users.names[int(users.sizes.argmax())]
    print(f"most like user {user}: {[name for name, _ in users.similar(user, 3)]}")


if __name__ == "__main__":
    main()
