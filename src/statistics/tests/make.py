"""Makes known_answers.json with scipy and statsmodels: python make.py > known_answers.json"""

import json

import numpy as np
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests

FAMILIES = [[0.01, 0.04, 0.03, 0.005], [0.2], [0.5, 0.5, 0.001], [0.04, 0.04, 0.04, 0.9, 0.0]]


def sign_flip(differences):
    statistic = lambda values, axis: np.mean(values, axis=axis)
    found = stats.permutation_test((np.array(differences),), statistic, permutation_type="samples",
                                   vectorized=True, n_resamples=np.inf, alternative="two-sided")
    return float(found.pvalue)


def bootstrap(values):
    found = stats.bootstrap((np.array(values),), np.mean, n_resamples=200_000, method="percentile",
                            confidence_level=0.95, rng=np.random.default_rng(1))
    interval = found.confidence_interval
    return [float(interval.low), float(interval.high)]


def main():
    rng = np.random.default_rng(7)
    series = [np.round(rng.normal(centre, 0.1, count), 4).tolist()
              for count, centre in [(2, 0.0), (5, 0.05), (8, -0.1), (12, 0.03), (16, 0.02)]]
    series.append([0.1, -0.1, 0.2, 0.0])
    answers = {
        "made_with": {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
        "series": [{"values": values, "mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)),
                    "p": sign_flip(values), "interval": bootstrap(values)} for values in series],
        "holm": [{"p": family, "corrected": multipletests(family, method="holm")[1].tolist()} for family in FAMILIES],
    }
    print(json.dumps(answers, indent=1))


main()
