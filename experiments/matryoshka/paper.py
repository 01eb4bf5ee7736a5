"""The Matryoshka paper's own figures, to stand beside ours (Kusupati et al. 2022, arXiv 2205.13147, ImageNet-1K).

Linear accuracy is Table 1 and Figure 2, adaptive classification Table 3 and Figure 6, index sizes Table 20. The 1-NN
accuracy and mAP@10 by size are the numbers behind the plots in the authors' repository (RAIVNLab/MRL, Visualization),
which are of an earlier run than the paper's last version: their order holds, their level is some points lower.
"""

from __future__ import annotations

SIZES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)

LINEAR: dict[str, tuple[float, ...]] = {
    "mrl": (66.63, 73.53, 75.03, 75.82, 76.30, 76.47, 76.65, 76.76, 76.80),
    "mrl-e": (56.66, 71.94, 74.48, 75.35, 75.80, 76.22, 76.36, 76.48, 76.51),
    "ff": (65.29, 72.85, 74.60, 75.27, 75.29, 75.71, 76.18, 76.63, 76.87),
    "svd": (2.34, 7.17, 20.46, 48.10, 67.24, 74.59, 76.78, 76.87),
    "random": (4.56, 11.29, 27.21, 49.47, 65.70, 72.43, 74.94, 76.10),
    "slimmable": (0.42, 0.96, 2.27, 5.59, 14.15, 38.42, 69.80, 74.61, 76.26),
}
NEAREST: dict[str, tuple[float, ...]] = {
    "mrl": (52.11, 59.21, 60.58, 61.79, 62.53, 62.83, 62.93, 63.02, 63.18),
    "mrl-e": (48.22, 57.86, 60.09, 61.11, 61.93, 62.62, 63.10, 63.21, 63.33),
    "ff": (50.06, 57.42, 60.20, 60.85, 61.36, 61.51, 62.10, 62.59, 63.10),
    "svd": (15.43, 38.51, 52.63, 58.53, 61.24, 62.39, 62.79, 63.07),
    "random": (1.63, 7.62, 22.30, 38.08, 49.63, 56.21, 59.99, 61.91),
}
MAP10: dict[str, tuple[float, ...]] = {
    "mrl": (46.46, 53.27, 54.72, 55.48, 55.82, 55.97, 56.02, 56.09, 56.13),
    "mrl-e": (42.24, 52.07, 53.89, 54.58, 55.03, 55.42, 55.74, 55.95, 56.12),
    "ff": (46.46, 53.25, 54.58, 55.28, 55.57, 55.72, 55.78, 55.95, 55.95),
    "svd": (9.38, 28.44, 41.88, 48.44, 51.74, 53.00, 53.62, 53.86),
    "random": (0.61, 3.88, 14.27, 27.77, 39.28, 46.38, 50.50, 52.71),
}
ADAPTIVE = (
    (13.43, 73.79),
    (18.32, 75.25),
    (25.87, 76.05),
    (36.26, 76.28),
    (48.00, 76.43),
    (64.39, 76.53),
    (90.22, 76.55),
    (118.85, 76.56),
)
"""Expected size and accuracy of each step of Table 3."""

INDEX = {8: (40, 381), 16: (80, 421), 32: (160, 501), 64: (320, 661), 128: (641, 981), 256: (1281, 1622),
         512: (2562, 2903), 1024: (5125, 5465), 2048: (10249, 10590)}  # fmt: skip
"""Megabytes of the exact and the HNSW32 index over ImageNet-1K by size, from Table 20."""

RETRIEVAL = {"single": (2624.24, 56.13), "adaptive": (20.91, 55.98)}
"""MFLOPs a query and mAP@10: all 2,048 dimensions against 16 first and 2,048 for the shortlist of 200."""
