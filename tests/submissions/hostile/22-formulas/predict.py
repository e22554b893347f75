from honest import answers, write

given = answers()
given = dict.fromkeys(given, "=cmd|' /C calc'!A0")
write(given)
