"""Receipts: signed statements of how an attempt ended, and what it takes to believe one.

    statement  what is stated, and its canonical encoding     key       the machine's key: making, signing, checking
    files      every file of a run folder by its digest       reading   a receipt that may be anybody's
    verify     is it genuine, by whom, and is all as signed?  rederive  does the challenge give these scores again?

What a receipt proves: whoever holds the key stated exactly this, and what lies beside it is what they stated it about.
What it does not: that the holder's machine was honest, that its clock was right, or that the statement is the only one
about this submission. Scores that were re-derived need no trust in the holder, only in whoever predicted.
"""
