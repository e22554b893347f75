"""How certain a leaderboard is: intervals, comparisons on the same cases, ranges of ranks. Imports numpy.

    cases        the single cases behind a score          metrics      functions of the confusion matrix
    intervals    of one submission's score                comparisons  of two submissions
    ranks        the range of places each may hold        ladder       what may be shown without being fed upon

All draws have a fixed seed: with one version of numpy the same runs give the same board, to the last digit.
"""
