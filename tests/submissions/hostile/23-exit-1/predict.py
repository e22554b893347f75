from honest import answers, write

write(answers())
raise SystemExit(1)
