import os

os.makedirs("/mnt/out/a/b")
os.chmod("/mnt/out/a/b", 0)
os.chmod("/mnt/out/a", 0)
os.chmod("/mnt/out", 0)
