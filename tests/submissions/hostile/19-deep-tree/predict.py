import os

os.chdir("/mnt/out")
for _ in range(10_000):
    os.mkdir("d")
    os.chdir("d")
