from honest import answers, write

write(answers(), encoding="utf-16")
