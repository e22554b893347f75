from honest import answers, write

write(answers())
