import os

from honest import answers, write

write(answers(), "real.csv")
os.link("/mnt/out/real.csv", "/mnt/out/answers.csv")
