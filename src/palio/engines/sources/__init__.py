"""What the platform fetches for submissions: images from registries, and files at a tag from Git repositories.

Covered: servers in private networks, on this machine, or without https are only reached if the operator names them in
PALIO_SUBMISSION_HOSTS; everything else goes through the program that is also the egress proxy of builds. Sizes and
times are limited, and every byte of an image is checked against its digest. Not covered: a public server that this
machine reaches under a private meaning, such as one that trusts the platform's address.
"""
