"""Statistics of scores: intervals, comparisons on the same cases and rank ranges. Imports numpy.

    cases        the single cases behind a score          metrics      functions of the confusion matrix
    intervals    of one submission's score                comparisons  of two submissions
    ranks        rank ranges and rank frequencies         summary      all of these for one leaderboard
    differences  of two submissions, with intervals       similarity   nearly equal predictions

All draws have a fixed seed: with one version of numpy the same runs give the same numbers, to the last digit.
For `core.leaderboard` and the programs that call it.
"""
