with open("/mnt/out/answers.csv", "w") as file:
    file.write("file,answer\n")
    for _ in range(10_000):
        file.write(f"case-{1:03}.txt,yes\n" * 1000)
