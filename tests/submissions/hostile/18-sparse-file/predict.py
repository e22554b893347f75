import os

os.truncate(os.open("/mnt/out/answers.csv", os.O_CREAT | os.O_WRONLY), 100 << 20)
