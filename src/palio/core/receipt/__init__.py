"""Receipts: signed statements of how an attempt ended, and tools to verify them.

    statement  the content and its canonical encoding      key       the machine's key: creating, signing, checking
    files      digests of every file of a run folder       reading   parses a receipt from an untrusted file
    verify     is it genuine, by whom, and unchanged?      rederive  are the scores reproducible?

A receipt proves that the holder of the key stated exactly this, about exactly these files. It does not prove that the
holder's machine was honest, that its clock was right, or that there is no other statement about this submission.
Re-scoring removes the need to trust the holder's scores; only the predictions must still be trusted.
"""
