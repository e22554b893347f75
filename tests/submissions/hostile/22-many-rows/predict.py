with open("/mnt/out/answers.csv", "w") as file:
    file.write("file,answer\n")
    file.write("a,\n" * 300_000)
