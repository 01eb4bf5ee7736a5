"""The seminar's own snippets for OpenAI's client, unchanged: only the address comes from outside.

imi serve --alias text-embedding-ada-002=built-in --alias text-embedding-3-small=built-in
OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=none python examples/openai_client.py
"""

import numpy as np
from openai import OpenAI


def cosine_similarity(a, b):
    a, b = np.array(a), np.array(b)
    return np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))


def compare(text_ja, text_en, model, label="Japanese"):
    client = OpenAI()
    resp = client.embeddings.create(
        model=model,
        input=[text_ja, text_en],
        encoding_format="float",
    )

    emb_ja = resp.data[0].embedding
    emb_en = resp.data[1].embedding

    # cosine similarity
    sim = cosine_similarity(emb_ja, emb_en)

    print(f"{label}:", text_ja)
    print("English :", text_en)
    print(f"Embedding dim (JA): {len(emb_ja)}")
    print(f"Embedding dim (EN): {len(emb_en)}")
    print(f"Cosine similarity : {sim:.6f}")


def main():
    for text in ("cat", "猫"):
        client = OpenAI()
        reply = client.embeddings.create(model="text-embedding-ada-002", input=text, encoding_format="float")
        print(f"{text}: {len(reply.data[0].embedding)} numbers, {reply.usage}, answered by {reply.model}")

    compare("猫", "cat", "text-embedding-ada-002")
    compare("🐱", "cat", "text-embedding-ada-002", label="絵文字")
    compare("吾輩は猫である。", "I am a cat.", "text-embedding-ada-002")
    compare("吾輩は猫である。", "I am a cat.", "text-embedding-3-small")


if __name__ == "__main__":
    main()
