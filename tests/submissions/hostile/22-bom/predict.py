from honest import answers, write

write(answers(), encoding="utf-8-sig")
