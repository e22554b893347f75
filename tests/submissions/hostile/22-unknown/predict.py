from honest import answers, write

given = answers()
given["case-061.txt"] = "yes"
write(given)
