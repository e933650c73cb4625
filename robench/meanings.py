"""What the numbers of the leaderboard are, in words; `docs/metrics.md` has the formulas."""

from robench.metrics import RESAMPLES
from robench.paper_table import ENVELOPE

WILSON = "Wilson's score interval over the attacked images"
BOOTSTRAP = f"percentile bootstrap, {RESAMPLES:,} resamples of the attacked images"
SEEDS = " and training seeds"
NUMBERS = {
    "benign": "share of the attacked images that are classified correctly before the attack",
    "accuracy": "share of the attacked images that are classified correctly after the attack",
    "accuracy_black": "the same share on images made on an independently trained network",
    "success": "share of the correctly classified images that the attack fooled",
    "rho": "mean L2 norm over the fooled images, misclassified ones at 0 (the paper's Eq. 6)",
    "rho_correct": "mean L2 norm over the correctly classified and fooled images",
    "median": "median L2 norm over all attacked images, a failure infinitely far",
    "images": "number of attacked images",
    "rank": "1 and the number of ranked entries whose rho_correct of the envelope is clearly above "
    "this one's: those whose difference has an interval above 0",
    "seeds": "number of matched training seeds",
    "seconds_per_epoch": "median over epochs of the seconds spent training, and over seeds",
    "audit": "the worst that the checks of the audit found",
    "rank_on_part": "the rank on the images that more attacks were run on, by all of them",
    "rho_correct_before": "rho_correct of the envelope on these images, over the attacks that were "
    "run on all images alone",
    "rho_correct_after": "rho_correct of the envelope on these images, over all attacks",
    "lowered": "share by which the further attacks lower rho_correct on these images",
    "difference": "rho_correct of the envelope of the first less that of the second, each the mean "
    "over its training seeds",
    "verdict": "who is ahead where the 95 % interval leaves 0 out; a tie where it does not",
    "shared_accuracies": "benign accuracies that both robustness curves cover",
    "area": "integral over these accuracies of the first curve's rho less the second's",
    "advantage": "the area over its width: the mean difference in rho at equal benign accuracy",
    "share_ahead": "share of these accuracies at which the first curve lies further out",
    "crossings": "benign accuracies at which the curves cross",
    "points": "strengths on either curve",
    "fewest_seeds": "fewest training seeds of a strength, of either curve where they differ",
    "rho_mean": "mean over training seeds of the mean L2 norm over the fooled images, "
    "misclassified ones at 0 (the paper's Eq. 6)",
    "rho_over_baseline": "rho, the mean over training seeds, over that of the baseline matched at "
    "the same benign accuracy",
    "published": "as the paper published it: one seed, no interval",
    "matched_by": "the checkpoint that stands in the row and the accuracy it was chosen by",
}
"""By metric, those of one attack or of the network."""
OVER = "of the envelope, for each image the nearest error that any attack that counts found: "
WITHIN = "share of images that are correct and have no error within the radius"
SHARES = {"benign", "accuracy", "accuracy_black", "success"}
PAIRED = {"difference", "advantage", "rho_over_baseline", "rho_mean"}
SEVERAL = ", and of training seeds where there are several"
LENGTHS = {"rho", "rho_correct", "median", "rho_correct_before", "rho_correct_after"}


def meaning(metric: str) -> str:
    """Return the formula of a number in words."""
    name = _of_attack(metric)
    if name == metric:
        return NUMBERS[metric]
    return OVER + (WITHIN if name == "accuracy" else NUMBERS[name])


def uncertainty(metric: str, seeds: int) -> str:
    """Return what the interval of a number is over; nothing where it has none.

    `seeds`: training seeds that the number is a mean over.
    """
    name = _of_attack(metric)
    if name in PAIRED:
        return f"95 %, {BOOTSTRAP}, the same for all networks{SEVERAL}"
    if name not in SHARES | LENGTHS:
        return ""
    if seeds == 1:
        return f"95 %, {WILSON if name in SHARES else BOOTSTRAP}"
    wider = ", or Wilson's where that is wider" if name in SHARES else ""
    return f"95 %, {BOOTSTRAP}{SEEDS}{wider}; the value is the mean over {seeds} seeds"


def _of_attack(metric: str) -> str:
    return metric.removesuffix(f"_{ENVELOPE}")
